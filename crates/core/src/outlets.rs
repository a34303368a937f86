//! Where records and events leave the process.

use std::sync::Arc;

use cyanotype_redact::Redactor;

use crate::settings::Settings;
use crate::{sentry, stderr};

/// The real sinks, or, in a test of a blueprint, memory.
pub(crate) enum Outlets {
    Real,
    #[cfg(any(test, feature = "test"))]
    Kept(crate::test::Kept),
}

impl Outlets {
    pub fn stderr(&self, settings: &Settings) -> stderr::Sink {
        match self {
            Self::Real => stderr::Sink::start(settings),
            #[cfg(any(test, feature = "test"))]
            Self::Kept(kept) => stderr::Sink::kept(settings, kept.clone()),
        }
    }

    pub fn sentry(
        &self,
        settings: &Settings,
        stderr: Arc<stderr::Sink>,
        redactor: Arc<Redactor>,
    ) -> Option<sentry::Sink> {
        match self {
            Self::Real => sentry::Sink::start(settings, stderr, redactor),
            #[cfg(any(test, feature = "test"))]
            Self::Kept(kept) => sentry::Sink::kept(settings, stderr, redactor, kept.clone()),
        }
    }
}
