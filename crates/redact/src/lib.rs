//! Keeps secrets and control characters out of logs: a redactor for all data that reaches a sink, and an escaper for
//! the lines that a sink writes. Both work on bytes in memory and use AVX2 where the processor supports it.
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
//! [`REDACTED`] replaces the value of a sensitive key, and values under other keys that match one of the [`Patterns`].
//! Redaction precedes truncation and queueing. [`WITHHELD`] replaces a body in UTF-16, in
//! which no key can be recognized.
//!
//! # Features
//!
//! `reference` (off by default): the module `reference`, a slow implementation of the same rules for fuzz targets to
//! compare with.

#![warn(missing_docs, unreachable_pub)]

mod anchors;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod byte_class;
mod content;
#[cfg(test)]
mod corpus_tests;
mod data;
pub mod escape;
#[cfg(target_arch = "x86_64")]
mod escape_avx2;
mod escapes;
mod findings;
mod headers;
mod hostile;
mod json;
mod keys;
mod lookahead;
mod names;
mod opaque_id;
mod pairs;
mod patterns;
mod placeholder;
mod prefilter;
#[cfg(test)]
mod prefilter_tests;
#[cfg(test)]
mod properties;
mod pseudonyms;
mod reasons;
mod redactor;
#[cfg(any(test, feature = "reference"))]
pub mod reference;
mod replaced;
mod rules;
mod scalars;
mod sentence;
mod strings;
#[cfg(target_arch = "x86_64")]
mod teddy;
mod text;
mod vocabulary;
mod words;

pub use content::Content;
pub use findings::Finding;
pub use headers::is_header_allowed;
pub use opaque_id::is_opaque_id;
pub use patterns::{OwnPattern, PatternError, Patterns};
pub use placeholder::{REDACTED, WITHHELD};
pub use pseudonyms::{PseudonymError, Pseudonyms};
pub use reasons::Rule;
pub use redactor::{Redactor, Syntax};
