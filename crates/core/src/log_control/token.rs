//! The token of the management listener.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// `management.token`, as its hash: nothing here can show it.
pub(super) struct Token([u8; 32]);

impl Token {
    pub(super) fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Whether this is it; takes as long for any other.
    pub(super) fn matches(&self, given: &str) -> bool {
        Sha256::digest(given).as_slice().ct_eq(&self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_alone() {
        let token = Token::new("0123456789abcdef");
        assert!(token.matches("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0"] {
            assert!(!token.matches(other), "{other}");
        }
    }
}
