//! A pool of threads that hash passwords, with a bounded queue.
//!
//! A hash requires 19 MiB and an entire core. More concurrent hashes than cores would use memory without being faster, so they
//! wait in the queue. When the queue is full, further hashes are rejected immediately.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use cyanotype::{Problem, keep_request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::hasher::Hasher;

/// An idle thread releases its memory after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce(&mut Hasher) + Send>;

/// A thread pool. Its threads end when it is dropped.
#[derive(Debug)]
pub(crate) struct HashPool {
    /// One permit for each hash that runs or waits.
    hash_permits: Arc<Semaphore>,
    /// Registrations use at most half of the hash permits, so that a flood of them leaves capacity for logins.
    registration_permits: Arc<Semaphore>,
    /// One permit for each thread. A hash waits here, not in the channel, so that it leaves the queue when its request is
    /// cancelled.
    thread_permits: Arc<Semaphore>,
    jobs: Sender<Job>,
}

/// The hash queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HashQueueFull;

impl From<HashQueueFull> for Problem {
    fn from(_: HashQueueFull) -> Self {
        Problem::overloaded(Duration::from_secs(1), "too many logins and registrations at once; retry in a second")
    }
}

impl HashPool {
    /// Starts a pool with this number of threads and a queue of this length.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub(crate) fn start(threads: usize, queue: usize) -> io::Result<Self> {
        let (jobs, receiver) = unbounded();
        for n in 0..threads {
            let receiver = receiver.clone();
            thread::Builder::new().name(format!("hash-{n}")).spawn(move || work(&receiver))?;
        }
        let hash_permits = Arc::new(Semaphore::new(threads + queue));
        let registration_permits = Arc::new(Semaphore::new((threads + queue).div_ceil(2)));
        let thread_permits = Arc::new(Semaphore::new(threads));
        Ok(Self { hash_permits, registration_permits, thread_permits, jobs })
    }

    /// Waits for a thread, in first-in, first-out order. A cancelled request leaves the queue.
    ///
    /// # Errors
    /// If the queue is full, without waiting.
    pub(crate) async fn acquire(&self) -> Result<ThreadPermit<'_>, HashQueueFull> {
        let hash_permit = Arc::clone(&self.hash_permits).try_acquire_owned().map_err(|_| HashQueueFull)?;
        let thread_permit =
            Arc::clone(&self.thread_permits).acquire_owned().await.expect("the semaphore is never closed");
        Ok(ThreadPermit { permits: vec![thread_permit, hash_permit], jobs: &self.jobs })
    }

    /// The same for a registration.
    ///
    /// # Errors
    /// If the queue is full, or half full of registrations, without waiting.
    pub(crate) async fn acquire_for_registration(&self) -> Result<ThreadPermit<'_>, HashQueueFull> {
        let registration_permit =
            Arc::clone(&self.registration_permits).try_acquire_owned().map_err(|_| HashQueueFull)?;
        let mut permit = self.acquire().await?;
        permit.permits.push(registration_permit);
        Ok(permit)
    }
}

/// The permission to run one hash on a thread of the pool.
pub(crate) struct ThreadPermit<'a> {
    permits: Vec<OwnedSemaphorePermit>,
    jobs: &'a Sender<Job>,
}

impl ThreadPermit<'_> {
    /// Runs a hash. Once started, it runs to completion and holds its permits until then, even if the request is cancelled.
    ///
    /// # Panics
    /// Resumes a panic of the hash.
    pub(crate) async fn run<T: Send + 'static>(self, hash: impl FnOnce(&mut Hasher) -> T + Send + 'static) -> T {
        let (sender, receiver) = oneshot::channel();
        let permits = self.permits;
        let request = keep_request();
        let job: Job = Box::new(move |hasher: &mut Hasher| {
            let outcome = catch_unwind(AssertUnwindSafe(|| request.run(|| hash(hasher))));
            // Released before the response is sent, so that the next request of the same client finds them free.
            drop(permits);
            // The receiver is closed if the request was cancelled.
            let _ = sender.send(outcome);
        });
        self.jobs.send(job).expect("the threads run until the pool is dropped");
        let outcome = receiver.await.expect("a thread runs each job to completion");
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn work(jobs: &Receiver<Job>) {
    let mut hasher = Hasher::default();
    loop {
        match jobs.recv_timeout(IDLE_TIMEOUT) {
            Ok(job) => job(&mut hasher),
            Err(RecvTimeoutError::Timeout) => hasher.release(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    impl HashPool {
        async fn run<T: Send + 'static>(
            &self,
            hash: impl FnOnce(&mut Hasher) -> T + Send + 'static,
        ) -> Result<T, HashQueueFull> {
            Ok(self.acquire().await?.run(hash).await)
        }
    }

    type Request = tokio::task::JoinHandle<Result<&'static str, HashQueueFull>>;

    /// Starts a request whose hash runs until the sender is dropped.
    async fn start_hash(pool: &Arc<HashPool>) -> (mpsc::Sender<()>, Request) {
        let ((finish, finished), (started, has_started)) = (mpsc::channel::<()>(), oneshot::channel());
        let pool = Arc::clone(pool);
        #[expect(clippy::disallowed_methods, reason = "a test, with no request")]
        let request = tokio::spawn(async move {
            let hash = move |_: &mut Hasher| {
                started.send(()).unwrap();
                let _ = finished.recv();
                "done"
            };
            pool.run(hash).await
        });
        has_started.await.unwrap();
        (finish, request)
    }

    fn pool(threads: usize, queue: usize) -> Arc<HashPool> {
        Arc::new(HashPool::start(threads, queue).unwrap())
    }

    #[tokio::test]
    async fn a_full_queue_rejects_hashes_immediately() {
        let pool = pool(2, 1);
        let (one, other) = (start_hash(&pool).await, start_hash(&pool).await);
        let mut waiting = Box::pin(pool.run(|_| "waited"));
        assert_eq!(waiting.as_mut().now_or_never(), None, "the hash waits in the queue");
        assert_eq!(pool.run(|_| ()).now_or_never(), Some(Err(HashQueueFull)));

        drop(one.0);
        assert_eq!(one.1.await.unwrap(), Ok("done"));
        assert_eq!(waiting.await, Ok("waited"));
        assert_eq!(pool.run(|_| "next").await, Ok("next"));
        drop(other.0);
        assert_eq!(other.1.await.unwrap(), Ok("done"));
    }

    #[tokio::test]
    async fn registrations_use_at_most_half_of_the_permits() {
        let pool = pool(1, 3);
        let (running, request) = start_hash(&pool).await;
        let mut first = Box::pin(pool.acquire_for_registration());
        let mut second = Box::pin(pool.acquire_for_registration());
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        assert!(matches!(pool.acquire_for_registration().now_or_never(), Some(Err(HashQueueFull))));
        assert!(pool.acquire().now_or_never().is_none(), "a login can still wait");
        drop((first, second, running));
        assert_eq!(request.await.unwrap(), Ok("done"));
    }

    #[tokio::test]
    async fn a_cancelled_request_leaves_the_queue() {
        let pool = pool(1, 1);
        let (running, request) = start_hash(&pool).await;
        let runs = Arc::new(AtomicUsize::new(0));
        let count = |runs: &Arc<AtomicUsize>| {
            let runs = Arc::clone(runs);
            move |_: &mut Hasher| runs.fetch_add(1, Ordering::Relaxed)
        };
        let mut cancelled = Box::pin(pool.run(count(&runs)));
        assert_eq!(cancelled.as_mut().now_or_never(), None);
        assert_eq!(pool.run(count(&runs)).now_or_never(), Some(Err(HashQueueFull)));
        drop(cancelled);
        // Its permit is released before any thread has handled it.
        let mut next = Box::pin(pool.run(count(&runs)));
        assert_eq!(next.as_mut().now_or_never(), None);
        drop(running);
        assert_eq!(next.await, Ok(0), "the cancelled hash never ran");
        assert_eq!(request.await.unwrap(), Ok("done"));
    }

    #[tokio::test]
    async fn a_started_hash_runs_to_completion() {
        let pool = pool(1, 0);
        let (running, request) = start_hash(&pool).await;
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        // The hash still holds the only permit.
        assert_eq!(pool.run(|_| ()).now_or_never(), Some(Err(HashQueueFull)));
        drop(running);
        while pool.hash_permits.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|_| "next").await, Ok("next"));
    }

    #[tokio::test]
    async fn a_panic_reaches_its_request_and_the_thread_continues() {
        let pool = pool(1, 0);
        for _ in 0..3 {
            let panic = AssertUnwindSafe(pool.run(|_| -> () { panic!("a test panic") })).catch_unwind().await;
            assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"a test panic"));
        }
        assert_eq!(pool.run(|_| "next").await, Ok("next"));
    }

    #[tokio::test]
    async fn each_thread_runs_one_hash_at_a_time() {
        let pool = pool(3, 100);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let hashes = (0..60).map(|_| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            pool.run(move |hasher| {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                hasher.verify_dummy("correct horse").unwrap();
                running.fetch_sub(1, Ordering::SeqCst);
            })
        });
        assert!(futures_util::future::join_all(hashes).await.iter().all(Result::is_ok));
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    }

    #[test]
    fn the_threads_end_with_the_pool() {
        let (jobs, receiver) = unbounded::<Job>();
        let thread = thread::spawn(move || work(&receiver));
        drop(jobs);
        thread.join().unwrap();
    }

    #[actix_web::test]
    async fn a_full_queue_returns_503_with_retry_after() {
        let response = actix_web::ResponseError::error_response(&Problem::from(HashQueueFull));
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        assert_eq!((response.status().as_u16(), retry_after), (503, Some("1")));
    }
}
