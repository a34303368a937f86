//! How a connection is made that the server notifies.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Connect;
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The end of a connection that was there for less is notified after a pause: a server may end each new one at once.
const SETTLED: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(200);

/// Makes connections that listen on a channel.
pub(super) struct Listening {
    pub connector: MakeRustlsConnect,
    pub channel: &'static str,
    /// Called at each notification, and when the connection has ended.
    pub notified: Arc<Notify>,
}

type Connecting<'a> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl Connect for Listening {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let config = config.clone();
        Box::pin(async move {
            let (client, mut connection) = config.connect(self.connector.clone()).await?;
            let (notified, began) = (Arc::clone(&self.notified), Instant::now());
            let messages = async move {
                let mut messages = stream::poll_fn(|context| connection.poll_message(context));
                // Why it ended is learned by the next statement.
                while let Some(Ok(message)) = messages.next().await {
                    if matches!(message, AsyncMessage::Notification(_)) {
                        notified.notify_one();
                    }
                }
                if began.elapsed() < SETTLED {
                    tokio::time::sleep(PAUSE).await;
                }
                notified.notify_one();
            };
            #[expect(clippy::disallowed_methods, reason = "the connection's own task, which has no request")]
            let task = tokio::spawn(messages);
            client.batch_execute(&format!("LISTEN {}", self.channel)).await?;
            Ok((client, task))
        })
    }
}
