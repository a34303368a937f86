//! A build without the feature `sentry`: the same names, and nothing behind them.

use std::sync::Arc;
use std::time::Instant;

use crate::record::{Event, Kind};
use crate::settings::Settings;
use crate::stderr;
use cyanotype_redact::Redactor;
use uuid::Uuid;

/// There is no value of this type, so nothing is ever sent.
#[derive(Debug)]
pub(crate) enum Sink {}

impl Sink {
    pub fn start(_: &Settings, _: Arc<stderr::Sink>, _: Arc<Redactor>) -> Option<Self> {
        None
    }

    #[cfg(any(test, feature = "test"))]
    pub fn kept(_: &Settings, _: Arc<stderr::Sink>, _: Arc<Redactor>, _: crate::test::Kept) -> Option<Self> {
        None
    }

    pub fn hub(&self) -> RequestHub {
        match *self {}
    }

    pub fn takes_event(&self) -> bool {
        match *self {}
    }

    pub fn send(&self, _: Event) {
        match *self {}
    }

    pub fn finish(&self, _: Instant) {
        match *self {}
    }

    pub fn keep_losses(&self, _: &[(Kind, u64)]) {
        match *self {}
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct RequestHub(());

impl RequestHub {
    pub fn trace_id(&self) -> Option<Uuid> {
        None
    }

    pub fn sentry_trace(&self) -> Option<String> {
        None
    }

    pub fn bind<F: Future>(&self, future: F) -> F {
        future
    }

    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

/// Says that there is no Sentry to test.
///
/// # Errors
/// Always.
pub fn send_test_event(_: &Settings) -> Result<crate::EventId, String> {
    Err("this build has no Sentry in it: build with the feature `sentry`".into())
}
