//! The cause of an internal error, with the stack where it became a problem.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use cyanotype_telemetry::error_name;
use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::stack::Stack;

use crate::database::outage_of;

pub(super) struct Cause {
    error: CauseError,
    /// The name of the error's type, if the type was known where the error became a problem.
    type_name: Option<String>,
    stack: Option<Arc<Stack>>,
    /// Whether the database is unavailable.
    pub outage: bool,
}

enum CauseError {
    Boxed(Box<dyn Error + Send + Sync>),
    /// Converted to a box, it would hide the error that it contains, and its backtrace.
    #[cfg(feature = "anyhow")]
    Anyhow(Arc<anyhow::Error>),
    #[cfg(feature = "eyre")]
    Eyre(eyre::Report),
    /// The texts of an error that cannot be stored.
    Texts(Failure),
}

impl CauseError {
    /// The error, or its texts.
    fn get(&self) -> Result<&(dyn Error + 'static), &Failure> {
        match self {
            Self::Boxed(error) => Ok(&**error),
            #[cfg(feature = "anyhow")]
            Self::Anyhow(error) => Ok(&***error),
            #[cfg(feature = "eyre")]
            Self::Eyre(error) => Ok(&**error),
            Self::Texts(failure) => Err(failure),
        }
    }
}

impl Cause {
    /// The cause with the caller's stack.
    pub(super) fn new<E: Into<Box<dyn Error + Send + Sync>> + 'static>(error: E) -> Self {
        let type_name = error_name::of_type::<E>();
        #[cfg(feature = "anyhow")]
        let error = match downcast::<anyhow::Error, E>(error) {
            Ok(error) => return Self::of_anyhow(error),
            Err(error) => error,
        };
        #[cfg(feature = "eyre")]
        let error = match downcast::<eyre::Report, E>(error) {
            Ok(error) => return Self::with_stack(CauseError::Eyre(error), None, Stack::capture()),
            Err(error) => error,
        };
        Self::with_stack(CauseError::Boxed(error.into()), type_name, Stack::capture())
    }

    /// The cause with the backtrace that anyhow captured where the error occurred; by default it captures none.
    #[cfg(feature = "anyhow")]
    fn of_anyhow(error: anyhow::Error) -> Self {
        let error = Arc::new(error);
        let captured = error.backtrace().status() == std::backtrace::BacktraceStatus::Captured;
        let stack = if captured {
            let error = Arc::clone(&error);
            Stack::from_backtrace(move || format!("{:#}", error.backtrace()))
        } else {
            Stack::capture()
        };
        Self::with_stack(CauseError::Anyhow(error), None, stack)
    }

    /// The texts of a borrowed error, with the caller's stack.
    pub(super) fn texts_of(error: &(dyn Error + 'static)) -> Self {
        let stack = Arc::new(Stack::capture());
        let failure = Failure { outage: outage_of(error).is_some(), ..Failure::new(error, None) };
        Self { stack: Some(stack), ..Self::of_failure(failure) }
    }

    pub(super) fn of_failure(failure: Failure) -> Self {
        let (stack, outage) = (failure.stack.clone(), failure.outage);
        Self { error: CauseError::Texts(failure), type_name: None, stack, outage }
    }

    fn with_stack(error: CauseError, type_name: Option<String>, stack: Stack) -> Self {
        let outage = error.get().is_ok_and(|error| outage_of(error).is_some());
        Self { error, type_name, stack: Some(Arc::new(stack)), outage }
    }

    pub(super) fn failure(&self) -> Failure {
        let stack = self.stack.clone();
        let failure = match self.error.get() {
            Ok(error) => Failure::new(error, stack).with_type(self.type_name.as_deref()),
            Err(texts) => Failure { stack, ..texts.clone() },
        };
        Failure { outage: self.outage, ..failure }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error.get() {
            Ok(error) => fmt::Display::fmt(error, f),
            Err(texts) => f.write_str(&texts.first().message),
        }
    }
}

/// The error as a `T`, or unchanged if it has another type.
#[cfg(any(feature = "anyhow", feature = "eyre"))]
fn downcast<T: 'static, E: 'static>(error: E) -> Result<T, E> {
    let mut slot = Some(error);
    let taken = (&mut slot as &mut dyn std::any::Any).downcast_mut::<Option<T>>().and_then(Option::take);
    match (taken, slot) {
        (Some(taken), _) => Ok(taken),
        (None, slot) => Err(slot.expect("it was not taken")),
    }
}
