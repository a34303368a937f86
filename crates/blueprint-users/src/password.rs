//! Passwords in requests.

use std::fmt;

use cyanotype::Result;
use garde::rules::length::chars::HasChars;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use crate::hash_pool::ThreadPermit;

/// A password.
///
/// The NFKC form is hashed (NIST SP 800-63B), because keyboards and systems encode the same characters as different code
/// points.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Password {
    normalized: String,
    /// The text that the client sent, if it differs.
    raw: Option<String>,
}

impl From<String> for Password {
    fn from(raw: String) -> Self {
        let normalized: String = raw.nfkc().collect();
        let raw = Some(raw).filter(|raw| *raw != normalized);
        Self { normalized, raw }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Counts the characters that the client sent: the API document limits these.
impl HasChars for Password {
    fn num_chars(&self) -> usize {
        self.raw.as_ref().unwrap_or(&self.normalized).chars().count()
    }
}

impl Password {
    pub(crate) fn normalized(&self) -> &str {
        &self.normalized
    }

    /// Hashes the password into a PHC string, which contains the salt and the parameters.
    ///
    /// # Errors
    /// If the system returns no random numbers or no memory.
    pub(crate) async fn hash(self, permit: ThreadPermit<'_>) -> Result<String> {
        Ok(permit.run(move |hasher| hasher.hash(&self.normalized)).await?)
    }

    /// Whether the password matches the stored hash. Without a stored hash the result is `false`, after the same time.
    ///
    /// # Errors
    /// If the stored hash is unreadable.
    pub(crate) async fn verify(self, stored: Option<String>, permit: ThreadPermit<'_>) -> Result<bool> {
        let verify = move |hasher: &mut crate::hasher::Hasher| {
            // Earlier versions hashed the raw text. A wrong password that differs from its NFKC form costs two hashes, with or
            // without a stored hash.
            for candidate in [Some(&self.normalized), self.raw.as_ref()].into_iter().flatten() {
                match &stored {
                    Some(stored) if hasher.verify(candidate, stored)? => return Ok(true),
                    Some(_) => {}
                    None => hasher.verify_dummy(candidate)?,
                }
            }
            Ok::<_, argon2::password_hash::Error>(false)
        };
        Ok(permit.run(verify).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash_pool::HashPool;
    use crate::hasher::Hasher;

    /// Two code points, `e` and an accent, as macOS produces them.
    const DECOMPOSED: &str = "cafe\u{301} correct";
    /// One code point, as other systems produce it.
    const COMPOSED: &str = "caf\u{e9} correct";

    fn password(text: &str) -> Password {
        Password::from(text.to_owned())
    }

    fn pool() -> HashPool {
        HashPool::start(1, 1).unwrap()
    }

    async fn verifies(stored: &str, text: &str) -> bool {
        password(text).verify(Some(stored.to_owned()), pool().acquire().await.unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn only_the_hashed_password_verifies() {
        let stored = password("correct horse").hash(pool().acquire().await.unwrap()).await.unwrap();
        assert!(verifies(&stored, "correct horse").await);
        assert!(!verifies(&stored, "correct horsf").await);
    }

    #[tokio::test]
    async fn any_password_of_an_unknown_user_is_wrong() {
        assert!(!password("anything").verify(None, pool().acquire().await.unwrap()).await.unwrap());
        assert!(!password(DECOMPOSED).verify(None, pool().acquire().await.unwrap()).await.unwrap());
    }

    #[tokio::test]
    async fn an_unreadable_hash_is_an_error() {
        assert!(password("anything").verify(Some("plain".to_owned()), pool().acquire().await.unwrap()).await.is_err());
    }

    #[tokio::test]
    async fn equivalent_code_points_are_the_same_password() {
        for text in [COMPOSED, DECOMPOSED, "ｃafé correct"] {
            let stored = password(text).hash(pool().acquire().await.unwrap()).await.unwrap();
            for again in [COMPOSED, DECOMPOSED, "ｃafé correct"] {
                assert!(verifies(&stored, again).await, "{again:?} for {text:?}");
            }
            assert!(!verifies(&stored, "cafe correct").await);
        }
    }

    #[tokio::test]
    async fn a_hash_of_the_raw_text_still_verifies() {
        let stored = Hasher::default().hash(DECOMPOSED).unwrap();
        assert!(verifies(&stored, DECOMPOSED).await);
        assert!(!verifies(&stored, "cafe\u{301} corrects").await);
    }

    #[test]
    fn characters_are_counted_before_normalization() {
        assert_eq!((password(COMPOSED).num_chars(), password(DECOMPOSED).num_chars()), (12, 13));
    }

    #[test]
    fn debug_output_hides_the_password() {
        assert!(!format!("{:?}", password("hunter22")).contains("hunter22"));
    }
}
