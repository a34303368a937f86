//! What is shown instead of what is not.

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// What stands in the place of a body that could not be parsed and may hold a secret.
pub const WITHHELD: &str = "[withheld: it may hold a secret and could not be read]";
