//! Copies envelopes to a local Spotlight, Sentry's viewer for development. A copy that cannot be delivered at once is dropped.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// Maximum number of copies that wait.
const MAX_WAITING: usize = 64;

pub(crate) struct Spotlight {
    waiting: SyncSender<Arc<[u8]>>,
}

impl Spotlight {
    /// Starts the thread that posts the copies to a URL. Calls `report` with the first error.
    pub(crate) fn start(url: String, report: impl FnOnce(String) + Send + 'static) -> Self {
        let (waiting, copies) = sync_channel::<Arc<[u8]>>(MAX_WAITING);
        let post = move || {
            cyanotype_telemetry::mute_this_thread();
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .timeout_global(Some(Duration::from_secs(2)))
                .max_redirects(0)
                // It runs on this machine.
                .proxy(None)
                .build()
                .into();
            let mut report = Some(report);
            for envelope in copies {
                let request = agent.post(&url).header("Content-Type", "application/x-sentry-envelope");
                if let Err(error) = request.send(&envelope[..])
                    && let Some(report) = report.take()
                {
                    report(format!("cannot copy envelopes to Spotlight at {url}: {error}"));
                }
            }
        };
        let thread = std::thread::Builder::new().name("spotlight".into()).spawn(post);
        thread.expect("the thread that copies envelopes to Spotlight cannot be started");
        Self { waiting }
    }

    /// Copies an envelope, without waiting.
    pub(crate) fn copy(&self, envelope: &Arc<[u8]>) {
        let _ = self.waiting.try_send(Arc::clone(envelope));
    }
}
