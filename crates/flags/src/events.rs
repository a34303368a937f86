//! Events of the flag provider, each reported once.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::evaluated_flags::EvaluatedFlags;

/// Maximum number of distinct invalid values that are reported. Bounds the memory used to deduplicate them.
const MAX_IGNORED: usize = 64;

/// A change of the flags or of the provider's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagEvent {
    /// The flags of the process changed.
    Changed(EvaluatedFlags),
    /// The provider became unavailable, for this reason. Until it is available again, no flag sets a value.
    Unavailable(String),
    /// The provider is available again.
    Available,
    /// A flag was ignored because it could not be evaluated or has an invalid value. The message states the flag and the reason.
    Ignored(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Available,
    Unavailable,
}

pub(crate) struct FlagEvents {
    notify: Box<dyn Fn(FlagEvent) + Send + Sync>,
    state: Mutex<State>,
    process: Mutex<EvaluatedFlags>,
    ignored: Mutex<BTreeSet<String>>,
}

impl FlagEvents {
    pub(crate) fn new(notify: impl Fn(FlagEvent) + Send + Sync + 'static) -> Self {
        Self {
            notify: Box::new(notify),
            state: Mutex::new(State::New),
            process: Mutex::default(),
            ignored: Mutex::default(),
        }
    }

    pub(crate) fn is_available(&self) -> bool {
        *self.state.lock() == State::Available
    }

    pub(crate) fn unavailable(&self, reason: String) {
        if std::mem::replace(&mut *self.state.lock(), State::Unavailable) != State::Unavailable {
            (self.notify)(FlagEvent::Unavailable(reason));
        }
        self.process_flags(EvaluatedFlags::default());
    }

    pub(crate) fn available(&self) {
        if std::mem::replace(&mut *self.state.lock(), State::Available) == State::Unavailable {
            (self.notify)(FlagEvent::Available);
        }
    }

    pub(crate) fn process_flags(&self, values: EvaluatedFlags) {
        if std::mem::replace(&mut *self.process.lock(), values) != values {
            (self.notify)(FlagEvent::Changed(values));
        }
    }

    pub(crate) fn ignored(&self, what: String) {
        let mut ignored = self.ignored.lock();
        let is_new = ignored.len() < MAX_IGNORED && ignored.insert(what.clone());
        drop(ignored);
        if is_new {
            (self.notify)(FlagEvent::Ignored(what));
        }
    }
}
