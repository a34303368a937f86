//! The key that signs debug tokens.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::{DebugGrant, TokenError};
use crate::settings::MIN_DEBUG_KEY_BYTES;

/// The prefix of every token. It is covered by the MAC.
const VERSION: &str = "v1.";

/// Domain separator, prepended to the signed data: a MAC that another program computes with the same key is not valid here.
const DOMAIN: &[u8] = b"cyanotype debug token\0";

/// Signs and verifies debug tokens. All processes that forward requests to each other must share one key.
#[derive(Clone)]
pub struct DebugKey(Hmac<Sha256>);

impl DebugKey {
    /// Minimum length of the secret in bytes. 32 random bytes, the length of the MAC, are recommended.
    pub const MIN_SECRET_BYTES: usize = MIN_DEBUG_KEY_BYTES;
    /// Maximum length of a token in bytes.
    pub const MAX_TOKEN_BYTES: usize = 512;

    /// Creates a key from a secret.
    ///
    /// # Errors
    ///
    /// If the secret is shorter than [`Self::MIN_SECRET_BYTES`].
    pub fn new(secret: &str) -> Result<Self, ShortKey> {
        if secret.len() < Self::MIN_SECRET_BYTES {
            return Err(ShortKey(secret.len()));
        }
        // Cannot fail: HMAC accepts keys of any length.
        let hmac = Hmac::new_from_slice(secret.as_bytes()).map_err(|_| ShortKey(secret.len()))?;
        Ok(Self(hmac.chain_update(DOMAIN)))
    }

    /// Issues a token for a grant: visible ASCII, at most [`Self::MAX_TOKEN_BYTES`] long.
    #[must_use]
    pub fn issue(&self, grant: &DebugGrant) -> String {
        self.sign(&grant.to_payload())
    }

    /// Verifies a token and returns its grant. Whether the grant applies to a given request is decided by
    /// [`DebugGrant::applies_to`].
    ///
    /// # Errors
    ///
    /// If the text is not a token ([`TokenError::Malformed`]), is not signed with this key ([`TokenError::Forged`]), or has
    /// expired ([`TokenError::Expired`]).
    pub fn verify(&self, token: impl AsRef<[u8]>, now: Timestamp) -> Result<DebugGrant, TokenError> {
        let token = token.as_ref();
        // Checked before any work that grows with the length.
        if token.len() > Self::MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let token = std::str::from_utf8(token).map_err(|_| TokenError::Malformed)?;
        let (signed, mac) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let payload = signed.strip_prefix(VERSION).ok_or(TokenError::Malformed)?;
        // Rejects padding and non-zero trailing bits.
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

/// The secret is too short for a [`DebugKey`]. Contains its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("debug key too short: {0} bytes, minimum {min}", min = DebugKey::MIN_SECRET_BYTES)]
pub struct ShortKey(usize);

#[cfg(test)]
mod tests;
