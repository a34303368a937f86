//! Expiry of overrides.

use cyanotype_telemetry::Pipeline;

/// Removes each override when it expires; runs until it is aborted.
pub(crate) async fn expire_overrides(pipeline: &'static Pipeline) {
    loop {
        let next = pipeline.expire_overrides();
        let changed = pipeline.policy_changed().notified();
        match next {
            Some(next) => tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                () = changed => {}
            },
            None => changed.await,
        }
    }
}
