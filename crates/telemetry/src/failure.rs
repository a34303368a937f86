//! Failures as reported: the chain of errors, their types, and the stack trace.

use std::error::Error;
use std::fmt::{self, Write};
use std::sync::Arc;

use serde::Serialize;

use crate::ignored::IgnoredTypes;
use crate::stack::Stack;

/// An error in a chain of sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The name of its type, such as `ParseIntError`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its `Display` text.
    pub message: String,
}

/// An error with its sources, or a panic.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The error and its sources, outermost first; never empty.
    pub chain: Vec<Link>,
    /// The stack trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Arc<Stack>>,
    /// Whether it is a panic, whose event has the level fatal.
    pub panic: bool,
    /// Whether it is an outage of something that every request needs; such failures have a flood limit of one report per window.
    pub outage: bool,
}

/// Maximum length of a chain: an error that is its own source would never end.
const MAX_CHAIN: usize = 32;

impl Failure {
    /// Creates a failure from an error and its sources.
    #[must_use]
    pub fn new(error: &(dyn Error + 'static), stack: Option<Arc<Stack>>) -> Self {
        let chain =
            chain(error).take(MAX_CHAIN).map(|error| Link { type_name: type_name(error), message: error.to_string() });
        Self { chain: chain.collect(), stack, panic: false, outage: false }
    }

    /// Creates a failure from an error of a body stream, without the wrappers that each layer of actix adds.
    #[must_use]
    pub fn from_body_error(error: &(dyn Error + 'static)) -> Self {
        let mut failure = Self::new(error, None);
        let wrapped = failure.chain.iter().take_while(|link| link.type_name.starts_with("actix_http::")).count();
        // If there are only wrappers, the innermost one remains.
        failure.chain.drain(..wrapped.min(failure.chain.len() - 1));
        failure
    }

    /// Creates a failure that has no underlying error.
    #[must_use]
    pub fn from_message(type_name: &str, message: String) -> Self {
        Self { chain: vec![Link { type_name: type_name.into(), message }], stack: None, panic: false, outage: false }
    }

    /// Creates a failure from a panic.
    #[must_use]
    pub fn panic(message: String, stack: Stack) -> Self {
        Self { stack: Some(Arc::new(stack)), panic: true, ..Self::from_message("panic", message) }
    }

    /// The outermost error.
    #[must_use]
    pub fn first(&self) -> &Link {
        &self.chain[0]
    }

    /// Whether its type, or that of its root cause, is ignored.
    pub(crate) fn is_ignored(&self, ignored: &IgnoredTypes) -> bool {
        let root = self.chain.last().unwrap_or_else(|| self.first());
        ignored.contains(&self.first().type_name, &root.type_name)
    }

    /// The messages of the chain, outermost first.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        self.chain.iter().map(|link| link.message.clone()).collect()
    }
}

/// An error and its sources, outermost first.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// Joins the messages of an error and its sources with `: `.
#[must_use]
pub fn display_chain(error: &(dyn Error + 'static)) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Whether two reports of one request are of the same failure: one list of messages is a suffix of the other.
pub(crate) fn is_same_failure(a: &[String], b: &[String]) -> bool {
    a.ends_with(b) || b.ends_with(a)
}

/// The type name of a `dyn Error`, taken from the start of its `Debug` output, such as `ParseIntError`.
fn type_name(error: &(dyn Error + 'static)) -> String {
    /// Collects the leading name, then stops the formatting, since the output may be long.
    struct Name(String);
    impl Write for Name {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            for c in piece.chars() {
                if !(c.is_alphanumeric() || matches!(c, '_' | ':')) || self.0.len() > 100 {
                    return Err(fmt::Error);
                }
                self.0.push(c);
            }
            Ok(())
        }
    }
    let mut name = Name(String::new());
    let _ = write!(name, "{error:?}");
    if name.0.starts_with(|c: char| c.is_alphabetic()) { name.0 } else { "Error".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_contains_the_error_and_its_sources() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no quantity")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let outer = Outer("x".parse::<i32>().expect_err("it is not a number"));
        let failure = Failure::new(&outer, None);
        assert_eq!(failure.messages(), ["no quantity", "invalid digit found in string"]);
        let types: Vec<&str> = failure.chain.iter().map(|link| link.type_name.as_str()).collect();
        assert_eq!(types, ["Outer", "ParseIntError"]);
    }

    #[test]
    fn an_error_without_a_type_name_is_named_error() {
        let error: Box<dyn Error + Send + Sync> = "plain text".into();
        assert_eq!(Failure::new(&*error, None).first().type_name, "Error");
    }

    #[test]
    fn failures_are_equal_when_one_chain_is_a_suffix_of_the_other() {
        let chain = |messages: &[&str]| messages.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
        assert!(is_same_failure(&chain(&["wrapped", "cause"]), &chain(&["cause"])));
        assert!(is_same_failure(&chain(&["cause"]), &chain(&["wrapped", "cause"])));
        assert!(!is_same_failure(&chain(&["wrapped", "cause"]), &chain(&["wrapped"])));
    }
}
