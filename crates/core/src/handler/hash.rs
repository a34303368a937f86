//! SHA-256 as a hexadecimal string.

use sha2::{Digest, Sha256};

/// The hash as 64 lower-case hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
