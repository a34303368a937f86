//! SHA-256 as text.

use sha2::{Digest, Sha256};

/// In 64 lower-case hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
