//! PostgreSQL, for any number of processes; they run migrations one at a time.
//!
//! Statements are prepared once per connection. A connection that has been idle for more than 30 s is checked with a query before use; others
//! are only checked for being open. A connection is opened in its own task, so that a client that disconnects does not
//! cancel it.

mod breaker;
mod errors;
mod inspect;
mod notifications;
mod open;
mod shared;
mod statements;
mod target;
mod tls;
mod transaction;
mod url;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, QueueMode, RecyclingMethod, Runtime};
use tokio::sync::Notify;

use super::error::{DatabaseError, OutageCause, Result};
use super::migrations::{BlueprintMigrations, NamedMigrations, Program};
use super::options::Options;
use super::pool::PoolStatus;
use super::row::FromRow;
use super::value::ToSql;
use breaker::CircuitBreaker;
use notifications::NotificationConnector;
pub(super) use shared::mark_worker_thread;
use shared::{SharedConnection, SharedSlots};
use statements::{Statements, parameters, read_rows};
use target::Target;
pub(super) use target::address_of;
pub(super) use transaction::PostgresTransaction;
pub(super) use url::PostgresUrl;

/// A connection that was idle for longer is checked with a query before use.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(30);
/// A connection that was idle for less is not checked for a pending close.
const RECENTLY_USED: Duration = Duration::from_millis(20);
/// Maximum number of attempts for a read whose connection was closed; the pool may have several closed ones.
const MAX_ATTEMPTS: u32 = 4;
const RECYCLING: ManagerConfig = ManagerConfig { recycling_method: RecyclingMethod::Fast };
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Interval at which idle connections are closed.
const REAP_INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct Postgres {
    address: Arc<str>,
    pool: Pool,
    breaker: Arc<CircuitBreaker>,
    statements: Statements,
    slots: SharedSlots,
    /// For further connections to the same database.
    target: Arc<Target>,
    /// Whether this is the dedicated connection of one task, not the pool of the requests.
    is_dedicated: bool,
}

impl Postgres {
    pub(super) async fn open(options: &Options, migrations: Vec<NamedMigrations>, program: Program) -> Result<Self> {
        let (address, target) = Target::new(options)?;
        if options.migrate {
            open::migrate(&address, &target, migrations, program).await?;
        } else {
            open::require_migrated(&address, &target, migrations, program).await?;
        }

        let manager = Manager::from_config(target.config.clone(), target.connector.clone(), RECYCLING);
        let pool = pool(&address, manager, options.max_connections, options.acquire_timeout)?;
        let postgres = Self::new(address, pool, options.statement_timeout, target.into(), false);
        postgres.fill(options.min_connections).await?;
        postgres.reap(options);
        Ok(postgres)
    }

    /// Runs the migrations, and returns those that ran.
    pub(super) async fn migrate(
        options: &Options,
        migrations: Vec<NamedMigrations>,
        program: Program,
    ) -> Result<Vec<BlueprintMigrations>> {
        let (address, target) = Target::new(options)?;
        open::migrate(&address, &target, migrations, program).await
    }

    /// The state of each migration.
    pub(super) async fn migration_status(
        options: &Options,
        migrations: Vec<NamedMigrations>,
    ) -> Result<Vec<BlueprintMigrations>> {
        let (address, target) = Target::new(options)?;
        open::migration_status(&address, &target, migrations).await
    }

    /// A dedicated connection for one task, outside the pool. It is opened on demand and listens on a channel.
    pub(super) fn dedicated_listener(&self, channel: &'static str, notified: Arc<Notify>) -> Result<Self> {
        let Target { config, connector, options, .. } = &*self.target;
        let mut config = config.clone();
        let name = config.get_application_name().unwrap_or("cyanotype").to_owned();
        config.application_name(format!("{name} {channel}"));
        let listening = NotificationConnector { connector: connector.clone(), channel, notified };
        let manager = Manager::from_connect(config, listening, RECYCLING);
        let pool = pool(&self.address, manager, 1, options.acquire_timeout)?;
        // Without a timeout the task could hang forever.
        let timeout = options.statement_timeout.or(Some(options.acquire_timeout));
        Ok(Self::new(Arc::clone(&self.address), pool, timeout, Arc::clone(&self.target), true))
    }

    fn new(address: Arc<str>, pool: Pool, timeout: Option<Duration>, target: Arc<Target>, is_dedicated: bool) -> Self {
        let statements = Statements { address: Arc::clone(&address), timeout };
        Self { address, pool, breaker: Arc::default(), statements, slots: SharedSlots::default(), target, is_dedicated }
    }

    /// Host, port and name of the database.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn pool(&self) -> PoolStatus {
        let deadpool_postgres::Status { max_size, size, available, waiting, .. } = self.pool.status();
        PoolStatus { max: Some(max_size), idle: available, used: size.saturating_sub(available), waiting }
    }

    pub(super) async fn query<T: FromRow>(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>> {
        let send = async |client: &Object| {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, &parameters(values)).await
        };
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.send(&send).await {
                // The connection was closed while idle, unnoticed. A read is safe to retry: the retry
                // succeeds on another connection, or reports why none can be opened.
                Err(error) if attempts < MAX_ATTEMPTS && error.is_lost_connection() && is_read(sql) => {}
                rows => return read_rows(&rows?),
            }
        }
    }

    pub(super) async fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<u64> {
        let send = async |client: &Object| {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, &parameters(values)).await
        };
        self.send(send).await
    }

    /// Sends one statement, on the worker's shared connection if possible, otherwise on one from the pool.
    async fn send<R>(
        &self,
        send: impl AsyncFnOnce(&Object) -> std::result::Result<R, tokio_postgres::Error>,
    ) -> Result<R> {
        if let Some(in_flight) = SharedConnection::try_begin_statement(self.id())
            && let Some(client) = in_flight.client()
        {
            if is_alive(client, in_flight.idle).await {
                let (sent, is_usable) = self.statements.run(client, send).await;
                match is_usable {
                    true => in_flight.complete(),
                    false => in_flight.mark_broken(),
                }
                return sent;
            }
            in_flight.mark_broken();
        }
        let mut client = Some(self.acquire().await?);
        let sent = self.statements.send(&mut client, send).await?;
        // A worker keeps a connection that it opened as its shared one; a thread that is not a worker closes its own, so that
        // pooled connections are always driven by workers and their responses need not cross threads.
        if let Some(client) = client.filter(|client| !self.is_dedicated && Object::metrics(client).recycle_count == 0) {
            if shared::is_worker() {
                SharedConnection::adopt(self.id(), client, &self.slots, self.pool.status().max_size);
            } else {
                drop(Object::take(client));
            }
        }
        Ok(sent)
    }

    /// Identifies this pool within the process.
    fn id(&self) -> usize {
        Arc::as_ptr(&self.breaker) as usize
    }

    pub(super) async fn begin(&self) -> Result<PostgresTransaction> {
        Ok(PostgresTransaction::new(self.acquire().await?, self.statements.clone()))
    }

    pub(super) async fn ping(&self) -> Result<()> {
        self.send(async |client| client.check_connection().await).await
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }

    /// Acquires a connection from the pool.
    async fn acquire(&self) -> Result<Object> {
        let pool = self.pool.status();
        if pool.available > 0 {
            return self.pool.get().await.map_err(|error| errors::from_pool_error(&self.address, error));
        }
        // The task of a dedicated connection paces its own attempts.
        let connecting = pool.size < pool.max_size && !self.is_dedicated;
        if connecting {
            self.breaker.check()?;
        }
        // In a separate task: if the caller is cancelled, the connection is opened nevertheless and returns to the pool.
        let (pool, breaker, address) = (self.pool.clone(), Arc::clone(&self.breaker), Arc::clone(&self.address));
        #[expect(clippy::disallowed_methods, reason = "the connection belongs to the pool and outlives the request")]
        let acquired = tokio::spawn(async move {
            match pool.get().await {
                Ok(client) => {
                    breaker.record_success();
                    Ok(client)
                }
                Err(error) => {
                    let error = errors::from_pool_error(&address, error);
                    if connecting {
                        breaker.record_failure(&error);
                    }
                    Err(error)
                }
            }
        });
        let stopped = |_| DatabaseError::outage(&self.address, OutageCause::ServiceStopping, None);
        acquired.await.map_err(stopped)?
    }

    /// Opens `count` connections concurrently.
    async fn fill(&self, count: u32) -> Result<()> {
        let opened = futures_util::future::join_all((0..count).map(|_| self.acquire())).await;
        opened.into_iter().collect::<Result<Vec<_>>>().map(drop)
    }

    /// Starts a task that closes connections idle for longer than the timeout, down to `min_connections`.
    fn reap(&self, options: &Options) {
        let Some(idle_timeout) = options.idle_timeout else { return };
        let (pool, min) = (self.pool.clone(), options.min_connections as usize);
        #[expect(clippy::disallowed_methods, reason = "a task of the pool, which has no request")]
        actix_web::rt::spawn(async move {
            while !pool.is_closed() {
                tokio::time::sleep(REAP_INTERVAL.min(idle_timeout)).await;
                let mut left = pool.status().size;
                pool.retain(|_, metrics| {
                    let stays = left <= min || metrics.last_used() < idle_timeout;
                    left -= usize::from(!stays);
                    stays
                });
            }
        });
    }
}

fn pool(address: &str, manager: Manager, max_size: u32, acquire_timeout: Duration) -> Result<Pool> {
    let pool = Pool::builder(manager)
        .max_size(max_size as usize)
        .wait_timeout(Some(acquire_timeout))
        .create_timeout(Some(acquire_timeout))
        .recycle_timeout(Some(CHECK_TIMEOUT))
        // The most recently used connection is most likely open, and the others can become idle.
        .queue_mode(QueueMode::Lifo)
        .pre_recycle(Hook::async_fn(|client, metrics| {
            let idle = metrics.last_used();
            Box::pin(
                async move { if is_alive(client, idle).await { Ok(()) } else { Err(HookError::message("closed")) } },
            )
        }))
        .runtime(Runtime::Tokio1)
        .build();
    pool.map_err(|error| DatabaseError::OpenFailed(format!("the database {address}: {error}").into()))
}

fn is_read(sql: &str) -> bool {
    sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
}

/// Whether a connection that was idle for this long can be used.
async fn is_alive(client: &tokio_postgres::Client, idle: Duration) -> bool {
    if idle >= CHECK_AFTER_IDLE {
        return tokio::time::timeout(CHECK_TIMEOUT, client.check_connection()).await.is_ok_and(|it| it.is_ok());
    }
    if idle >= RECENTLY_USED {
        // Lets the connection's task read a pending close: it mostly runs on this thread.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    !client.is_closed()
}
