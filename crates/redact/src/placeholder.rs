//! Placeholders for redacted content.

/// Replaces a secret.
pub const REDACTED: &str = "[redacted]";

/// Replaces a body that may contain a secret but could not be parsed.
pub const WITHHELD: &str = "[withheld: may contain a secret and could not be parsed]";
