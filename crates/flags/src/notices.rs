//! Notices of the flag system's state, each of them once.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::values::Values;

/// The most wrong values that are remembered, so that what a flag system returns fills no memory.
const MAX_IGNORED: usize = 64;

/// What happened to the flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The flags of the process as a whole are other ones now.
    Changed(Values),
    /// The flag system cannot be used; why. Until it is back no flag sets anything.
    Away(String),
    /// The flag system can be used again.
    Back,
    /// A flag has a value that it cannot have; which, and what is allowed. It sets nothing.
    Ignored(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Available,
    Away,
}

pub(crate) struct Notices {
    notify: Box<dyn Fn(Notice) + Send + Sync>,
    state: Mutex<State>,
    process: Mutex<Values>,
    ignored: Mutex<BTreeSet<String>>,
}

impl Notices {
    pub(crate) fn new(notify: impl Fn(Notice) + Send + Sync + 'static) -> Self {
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

    pub(crate) fn away(&self, reason: String) {
        if std::mem::replace(&mut *self.state.lock(), State::Away) != State::Away {
            (self.notify)(Notice::Away(reason));
        }
        self.process(Values::default());
    }

    pub(crate) fn available(&self) {
        if std::mem::replace(&mut *self.state.lock(), State::Available) == State::Away {
            (self.notify)(Notice::Back);
        }
    }

    pub(crate) fn process(&self, values: Values) {
        if std::mem::replace(&mut *self.process.lock(), values) != values {
            (self.notify)(Notice::Changed(values));
        }
    }

    pub(crate) fn ignored(&self, what: String) {
        let mut ignored = self.ignored.lock();
        let is_new = ignored.len() < MAX_IGNORED && ignored.insert(what.clone());
        drop(ignored);
        if is_new {
            (self.notify)(Notice::Ignored(what));
        }
    }
}
