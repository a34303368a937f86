//! Session tokens: opaque to clients, and stored only as hashes.

use std::fmt;

use actix_web::HttpRequest;
use cyanotype::auth::bearer_token;
use cyanotype::{Problem, Result};
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use serde::Serialize;
use sha2::{Digest, Sha256};

const BYTES: usize = 32;

/// A bearer token of 64 hexadecimal digits, which only the login response contains.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Token(String);

impl Token {
    /// A new token from the random number generator of the system.
    pub(crate) fn random() -> std::result::Result<Self, SysError> {
        let mut bytes = [0; BYTES];
        SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(hex(&bytes)))
    }

    pub(crate) fn hash(&self) -> String {
        hash(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The hash of a token for the database. A fast hash without salt is enough for 256 random bits.
pub(crate) fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

/// The hash of the bearer token of the request. Handlers with a [`Caller`](cyanotype::auth::Caller) run only for requests with
/// a token.
pub(crate) fn hash_from_request(request: &HttpRequest) -> Result<String> {
    let token = bearer_token(request)
        .ok_or_else(|| Problem::unauthorized("send a bearer token in the authorization header"))?;
    Ok(hash(&token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_sha_256_in_hexadecimal() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn tokens_are_unique_and_differ_from_their_hash() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.0.len(), 2 * BYTES);
        assert_ne!(one.0, other.0);
        assert_ne!(one.0, one.hash());
        assert_eq!(one.hash(), hash(&one.0));
    }

    #[test]
    fn debug_output_hides_the_token() {
        let token = Token::random().unwrap();
        assert!(!format!("{token:?}").contains(&token.0));
    }
}
