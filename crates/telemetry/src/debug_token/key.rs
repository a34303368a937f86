//! The key that signs tokens.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::{DebugGrant, TokenError};
use crate::settings::MIN_DEBUG_KEY_BYTES;

/// What a token begins with. It is signed too.
const VERSION: &str = "v1.";

/// What is signed before a token: with the same key, nothing that another program signs is a token.
const DOMAIN: &[u8] = b"cyanotype debug token\0";

/// Signs debug tokens and verifies them. All processes that pass tokens on to each other have the same key.
#[derive(Clone)]
pub struct DebugKey(Hmac<Sha256>);

impl DebugKey {
    /// The shortest secret, in bytes. One as long as the MAC, 32 random bytes, is recommended.
    pub const MIN_SECRET_BYTES: usize = MIN_DEBUG_KEY_BYTES;
    /// The longest token, in bytes.
    pub const MAX_TOKEN_BYTES: usize = 512;

    /// The key of a secret text.
    ///
    /// # Errors
    ///
    /// The secret is shorter than [`Self::MIN_SECRET_BYTES`].
    pub fn new(secret: &str) -> Result<Self, ShortKey> {
        if secret.len() < Self::MIN_SECRET_BYTES {
            return Err(ShortKey(secret.len()));
        }
        // The only error is a length, of which HMAC refuses none.
        let hmac = Hmac::new_from_slice(secret.as_bytes()).map_err(|_| ShortKey(secret.len()))?;
        Ok(Self(hmac.chain_update(DOMAIN)))
    }

    /// The token of a grant: visible ASCII, at most [`Self::MAX_TOKEN_BYTES`] long.
    #[must_use]
    pub fn issue(&self, grant: &DebugGrant) -> String {
        self.sign(&grant.to_payload())
    }

    /// What a token grants. The grant may be for other requests than the one that carries it:
    /// [`DebugGrant::applies_to`] decides that.
    ///
    /// # Errors
    ///
    /// It is no token ([`TokenError::Malformed`]), not signed with this key ([`TokenError::Forged`]), or no longer valid
    /// ([`TokenError::Expired`]).
    pub fn verify(&self, token: impl AsRef<[u8]>, now: Timestamp) -> Result<DebugGrant, TokenError> {
        let token = token.as_ref();
        // Before any work that grows with its length.
        if token.len() > Self::MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let token = std::str::from_utf8(token).map_err(|_| TokenError::Malformed)?;
        let (signed, mac) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let payload = signed.strip_prefix(VERSION).ok_or(TokenError::Malformed)?;
        // Padding and unused bits other than zero are refused here.
        let mac = BASE64.decode(mac).map_err(|_| TokenError::Malformed)?;
        self.mac(signed).verify_slice(&mac).map_err(|_| TokenError::Forged)?;
        let payload = BASE64.decode(payload).map_err(|_| TokenError::Malformed)?;
        let payload = std::str::from_utf8(&payload).map_err(|_| TokenError::Malformed)?;
        let grant = DebugGrant::from_payload(payload).ok_or(TokenError::Malformed)?;
        if now >= grant.expires_at() {
            return Err(TokenError::Expired);
        }
        Ok(grant)
    }

    fn sign(&self, payload: &str) -> String {
        let mut token = VERSION.to_owned();
        BASE64.encode_string(payload, &mut token);
        let mac = self.mac(&token).finalize().into_bytes();
        token.push('.');
        BASE64.encode_string(mac, &mut token);
        token
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        self.0.clone().chain_update(signed)
    }
}

impl fmt::Debug for DebugKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DebugKey([redacted])")
    }
}

/// A secret that is too short for a [`DebugKey`], by its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a debug key has at least {min} bytes, this one has {0}", min = DebugKey::MIN_SECRET_BYTES)]
pub struct ShortKey(usize);

#[cfg(test)]
mod tests;
