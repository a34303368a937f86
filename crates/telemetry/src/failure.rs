//! Failures as reported: the chain of errors, their types, and the stack trace.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use serde::Serialize;

use crate::error_name;
use crate::ignored::IgnoredTypes;
use crate::panic_payload;
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
    /// Where it panicked, if that is known.
    #[serde(rename = "place", skip_serializing_if = "Option::is_none")]
    pub panic_site: Option<PanicSite>,
    /// Whether it is an outage of something that every request needs; such failures have a flood limit of one report per window.
    pub outage: bool,
}

/// Where a panic happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PanicSite {
    /// `file:line:column`.
    pub location: String,
    /// The name of the thread; `None` for a thread without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

/// Maximum length of a chain: an error that is its own source would never end.
const MAX_CHAIN: usize = 32;

impl Failure {
    /// Creates a failure from an error and its sources. An error whose type is unknown, such as a context of anyhow, has the
    /// type of its source.
    #[must_use]
    pub fn new(error: &(dyn Error + 'static), stack: Option<Arc<Stack>>) -> Self {
        let link = |error: &(dyn Error + 'static)| {
            let message = error.to_string();
            (error_name::of(error, &message), message)
        };
        let named: Vec<(Option<String>, String)> = chain(error).take(MAX_CHAIN).map(link).collect();
        let mut known = error_name::UNKNOWN.to_owned();
        let innermost_first = named.into_iter().rev().map(|(name, message)| {
            if let Some(name) = name {
                known = name;
            }
            Link { type_name: known.clone(), message }
        });
        let mut chain: Vec<Link> = innermost_first.collect();
        chain.reverse();
        Self { chain, stack, panic: false, panic_site: None, outage: false }
    }

    /// Sets the name of the outermost error's type, if it is known.
    #[must_use]
    pub fn with_type(mut self, name: Option<&str>) -> Self {
        if let Some(name) = name {
            name.clone_into(&mut self.chain[0].type_name);
        }
        self
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
        let chain = vec![Link { type_name: type_name.into(), message }];
        Self { chain, stack: None, panic: false, panic_site: None, outage: false }
    }

    /// Creates a failure from a panic's payload: a text, a number, or a boxed error with its sources.
    #[must_use]
    pub fn from_panic(payload: &(dyn Any + Send)) -> Self {
        let mut failure = match panic_payload::error(payload) {
            Some(error) => Self::new(error, None),
            None => Self::from_message("", panic_payload::text(payload)),
        };
        failure.chain[0].type_name = "panic".to_owned();
        Self { panic: true, ..failure }
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

#[cfg(test)]
mod tests {
    use std::fmt;

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
    fn an_error_of_unknown_type_is_named_after_its_source() {
        #[derive(Debug)]
        struct Error(std::num::ParseIntError);
        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no quantity")
            }
        }
        impl std::error::Error for Error {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = Error("x".parse::<i32>().expect_err("it is not a number"));
        assert_eq!(Failure::new(&error, None).first().type_name, "ParseIntError");
        assert_eq!(Failure::new(&error, None).with_type(Some("Known")).first().type_name, "Known");
    }

    #[test]
    fn failures_are_equal_when_one_chain_is_a_suffix_of_the_other() {
        let chain = |messages: &[&str]| messages.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
        assert!(is_same_failure(&chain(&["wrapped", "cause"]), &chain(&["cause"])));
        assert!(is_same_failure(&chain(&["cause"]), &chain(&["wrapped", "cause"])));
        assert!(!is_same_failure(&chain(&["wrapped", "cause"]), &chain(&["wrapped"])));
    }
}
