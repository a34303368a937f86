//! Events of the flag provider, each of them once.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::evaluated_flags::EvaluatedFlags;

/// The most wrong values that are remembered, so that what a flag system returns fills no memory.
const MAX_IGNORED: usize = 64;

/// What happened to the flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagEvent {
    /// The flags of the process as a whole are other ones now.
    Changed(EvaluatedFlags),
    /// The flag system cannot be used; why. Until it is back no flag sets anything.
    Unavailable(String),
    /// The flag system can be used again.
    Available,
    /// A flag has a value that it cannot have; which, and what is allowed. It sets nothing.
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
