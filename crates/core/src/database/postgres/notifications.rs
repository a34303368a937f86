//! Opens connections that receive notifications (`LISTEN`).

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Connect;
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

/// If a connection ends sooner than this, waking the task is delayed, so that it does not reconnect in a tight loop.
const MIN_LIFETIME: Duration = Duration::from_secs(1);
const RECONNECT_DELAY: Duration = Duration::from_millis(200);

/// Opens connections that listen on a channel.
pub(super) struct NotificationConnector {
    pub connector: MakeRustlsConnect,
    pub channel: &'static str,
    /// Notified for each notification, and when the connection ends.
    pub notified: Arc<Notify>,
}

type Connecting<'a> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl Connect for NotificationConnector {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let config = config.clone();
        Box::pin(async move {
            let (client, mut connection) = config.connect(self.connector.clone()).await?;
            let (notified, began) = (Arc::clone(&self.notified), Instant::now());
            let messages = async move {
                let mut messages = stream::poll_fn(|context| connection.poll_message(context));
                // The next statement reports why the connection ended.
                while let Some(Ok(message)) = messages.next().await {
                    if matches!(message, AsyncMessage::Notification(_)) {
                        notified.notify_one();
                    }
                }
                if began.elapsed() < MIN_LIFETIME {
                    tokio::time::sleep(RECONNECT_DELAY).await;
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
