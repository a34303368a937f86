//! The token of the management listener.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The hash of `management.token`; the token itself is not stored.
pub(super) struct Token([u8; 32]);

impl Token {
    pub(super) fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Compares in constant time.
    pub(super) fn matches(&self, token: &str) -> bool {
        Sha256::digest(token).as_slice().ct_eq(&self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_token_matches() {
        let token = Token::new("0123456789abcdef");
        assert!(token.matches("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0"] {
            assert!(!token.matches(other), "{other}");
        }
    }
}
