//! Placeholders for redacted content.

/// Replaces a secret.
pub const REDACTED: &str = "[redacted]";

/// Replaces a body that may be UTF-16, in which no secret can be recognized.
pub const WITHHELD: &str = "[withheld: may contain a secret and could not be parsed]";
