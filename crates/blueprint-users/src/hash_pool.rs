//! A few threads that hash passwords, and the queue in front of them.
//!
//! A hash takes 19 MiB and a core for itself. More at once than there are cores would take memory and gain nothing, so the
//! rest waits; more that wait than can be served soon are refused at once.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use cyanotype::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::hasher::Hasher;

/// How long a thread keeps its memory for the next hash.
const IDLE: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce(&mut Hasher) + Send>;

/// The threads end with it.
#[derive(Debug)]
pub(crate) struct HashPool {
    /// One permit for each hash that runs or waits.
    places: Arc<Semaphore>,
    /// Registrations take half of the places at most, so that a flood of them leaves room for logins.
    registrations: Arc<Semaphore>,
    /// One permit for each thread: a hash waits here and not in the channel, so that it leaves the queue with its request.
    threads: Arc<Semaphore>,
    jobs: Sender<Job>,
}

/// So many hashes wait that another one would wait too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HashQueueFull;

impl From<HashQueueFull> for Problem {
    fn from(_: HashQueueFull) -> Self {
        Problem::overloaded(Duration::from_secs(1), "too many logins and registrations at once; retry in a second")
    }
}

impl HashPool {
    /// A pool of so many threads, at least one, in front of which `queue` hashes may wait.
    ///
    /// # Errors
    /// When the system starts no more threads.
    pub(crate) fn start(threads: usize, queue: usize) -> io::Result<Self> {
        let (jobs, receiver) = unbounded();
        for n in 0..threads {
            let receiver = receiver.clone();
            thread::Builder::new().name(format!("hash-{n}")).spawn(move || work(&receiver))?;
        }
        let places = Arc::new(Semaphore::new(threads + queue));
        let registrations = Arc::new(Semaphore::new((threads + queue).div_ceil(2)));
        Ok(Self { places, registrations, threads: Arc::new(Semaphore::new(threads)), jobs })
    }

    /// Waits for a thread, first come, first served. A request that leaves before its turn leaves the queue.
    ///
    /// # Errors
    /// When the queue is full, at once.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, HashQueueFull> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| HashQueueFull)?;
        let thread = Arc::clone(&self.threads).acquire_owned().await.expect("the semaphore is never closed");
        Ok(Turn { permits: vec![thread, place], jobs: &self.jobs })
    }

    /// The same for a registration.
    ///
    /// # Errors
    /// When the queue is full, or half full of registrations, at once.
    pub(crate) async fn turn_to_register(&self) -> Result<Turn<'_>, HashQueueFull> {
        let registration = Arc::clone(&self.registrations).try_acquire_owned().map_err(|_| HashQueueFull)?;
        let mut turn = self.turn().await?;
        turn.permits.push(registration);
        Ok(turn)
    }
}

/// A thread that waits for a hash.
pub(crate) struct Turn<'a> {
    permits: Vec<OwnedSemaphorePermit>,
    jobs: &'a Sender<Job>,
}

impl Turn<'_> {
    /// Runs a hash. One that has begun runs to its end, with its place taken until then.
    ///
    /// # Panics
    /// When the hash does, with its panic.
    pub(crate) async fn run<T: Send + 'static>(self, hash: impl FnOnce(&mut Hasher) -> T + Send + 'static) -> T {
        let (sender, receiver) = oneshot::channel();
        let permits = self.permits;
        let job: Job = Box::new(move |hasher: &mut Hasher| {
            let outcome = catch_unwind(AssertUnwindSafe(|| hash(hasher)));
            // Before the response, so that its client finds the place free.
            drop(permits);
            // The request may be gone.
            let _ = sender.send(outcome);
        });
        self.jobs.send(job).expect("the threads run as long as the pool");
        let outcome = receiver.await.expect("a thread runs each job to its end");
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn work(jobs: &Receiver<Job>) {
    let mut hasher = Hasher::default();
    loop {
        match jobs.recv_timeout(IDLE) {
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
            Ok(self.turn().await?.run(hash).await)
        }
    }

    type Request = tokio::task::JoinHandle<Result<&'static str, HashQueueFull>>;

    /// Has a hash begin, which does not end before the sender is dropped, for this request.
    async fn begin(pool: &Arc<HashPool>) -> (mpsc::Sender<()>, Request) {
        let ((end, ended), (begun, has_begun)) = (mpsc::channel::<()>(), oneshot::channel());
        let pool = Arc::clone(pool);
        #[expect(clippy::disallowed_methods, reason = "a test, with no request")]
        let request = tokio::spawn(async move {
            let hash = move |_: &mut Hasher| {
                begun.send(()).unwrap();
                let _ = ended.recv();
                "done"
            };
            pool.run(hash).await
        });
        has_begun.await.unwrap();
        (end, request)
    }

    fn pool(threads: usize, queue: usize) -> Arc<HashPool> {
        Arc::new(HashPool::start(threads, queue).unwrap())
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let pool = pool(2, 1);
        let (one, other) = (begin(&pool).await, begin(&pool).await);
        let mut waiting = Box::pin(pool.run(|_| "waited"));
        assert_eq!(waiting.as_mut().now_or_never(), None, "there is a place in the queue");
        assert_eq!(pool.run(|_| ()).now_or_never(), Some(Err(HashQueueFull)));

        drop(one.0);
        assert_eq!(one.1.await.unwrap(), Ok("done"));
        assert_eq!(waiting.await, Ok("waited"));
        assert_eq!(pool.run(|_| "next").await, Ok("next"));
        drop(other.0);
        assert_eq!(other.1.await.unwrap(), Ok("done"));
    }

    #[tokio::test]
    async fn registrations_leave_half_of_the_places_to_logins() {
        let pool = pool(1, 3);
        let (running, request) = begin(&pool).await;
        let mut first = Box::pin(pool.turn_to_register());
        let mut second = Box::pin(pool.turn_to_register());
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        assert!(matches!(pool.turn_to_register().now_or_never(), Some(Err(HashQueueFull))));
        assert!(pool.turn().now_or_never().is_none(), "a login still finds a place");
        drop((first, second, running));
        assert_eq!(request.await.unwrap(), Ok("done"));
    }

    #[tokio::test]
    async fn a_hash_whose_request_has_gone_leaves_the_queue() {
        let pool = pool(1, 1);
        let (running, request) = begin(&pool).await;
        let runs = Arc::new(AtomicUsize::new(0));
        let count = |runs: &Arc<AtomicUsize>| {
            let runs = Arc::clone(runs);
            move |_: &mut Hasher| runs.fetch_add(1, Ordering::Relaxed)
        };
        let mut gone = Box::pin(pool.run(count(&runs)));
        assert_eq!(gone.as_mut().now_or_never(), None);
        assert_eq!(pool.run(count(&runs)).now_or_never(), Some(Err(HashQueueFull)));
        drop(gone);
        // Its place is free though the thread has not come to it.
        let mut next = Box::pin(pool.run(count(&runs)));
        assert_eq!(next.as_mut().now_or_never(), None);
        drop(running);
        assert_eq!(next.await, Ok(0), "the one before it never ran");
        assert_eq!(request.await.unwrap(), Ok("done"));
    }

    #[tokio::test]
    async fn a_hash_that_has_begun_runs_to_its_end() {
        let pool = pool(1, 0);
        let (running, request) = begin(&pool).await;
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        // It still has the only place.
        assert_eq!(pool.run(|_| ()).now_or_never(), Some(Err(HashQueueFull)));
        drop(running);
        while pool.places.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|_| "next").await, Ok("next"));
    }

    #[tokio::test]
    async fn a_panic_is_its_requests_and_the_thread_goes_on() {
        let pool = pool(1, 0);
        for _ in 0..3 {
            let panic = AssertUnwindSafe(pool.run(|_| -> () { panic!("a test's own") })).catch_unwind().await;
            assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"a test's own"));
        }
        assert_eq!(pool.run(|_| "next").await, Ok("next"));
    }

    #[tokio::test]
    async fn each_thread_has_one_hash_at_a_time() {
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
    async fn a_full_queue_is_503_for_now() {
        let response = actix_web::ResponseError::error_response(&Problem::from(HashQueueFull));
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        assert_eq!((response.status().as_u16(), retry_after), (503, Some("1")));
    }
}
