//! Keeps secrets and control characters out of logs: a redactor for everything a sink may show, and an escaper for what it
//! writes. Both work on bytes in memory, with AVX2 where the processor has it.
//!
//! ```
//! use cyanotype_redact::{Redactor, Syntax, escape};
//!
//! let redactor = Redactor::default();
//! let body = br#"{"user":"ada","password":"hunter2","card":"4111 1111 1111 1111"}"#;
//! let shown = redactor.content(body, Syntax::Json, 8192, true);
//! assert_eq!(shown.text, r#"{"user":"ada","password":"[redacted]","card":"[redacted]"}"#);
//! assert_eq!(redactor.query("page=2&token=abc"), "page=2&token=[redacted]");
//!
//! let mut line = Vec::new();
//! escape::json_string("a\n\u{1b}[2J", &mut line);
//! assert_eq!(line, br#""a\n\u001b[2J""#);
//! ```
//!
//! The value of a sensitive key becomes [`REDACTED`], and so does what looks like a secret under any key ([`Patterns`]),
//! before anything is cut and before anything is queued. A body that seems to hold a secret but cannot be parsed becomes
//! [`WITHHELD`].
//!
//! # Features
//!
//! `reference` (off): the module `reference`, a slow implementation of the same rules, for fuzzers to compare with.

#![warn(missing_docs, unreachable_pub)]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod byte_class;
mod cards;
mod content;
pub mod escape;
#[cfg(target_arch = "x86_64")]
mod escape_avx2;
mod escapes;
mod headers;
mod hostile;
mod json;
mod keys;
mod lookahead;
mod pairs;
mod patterns;
mod placeholder;
mod prefilter;
#[cfg(test)]
mod prefilter_tests;
#[cfg(test)]
mod properties;
mod redactor;
#[cfg(any(test, feature = "reference"))]
pub mod reference;
mod rules;
mod scalars;
mod strings;
#[cfg(target_arch = "x86_64")]
mod teddy;
mod words;

pub use content::Content;
pub use headers::is_header_allowed;
pub use patterns::Patterns;
pub use placeholder::{REDACTED, WITHHELD};
pub use redactor::{Redactor, Syntax};
