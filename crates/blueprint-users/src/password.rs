//! Passwords, as clients send them.

use std::fmt;

use cyanotype::Result;
use garde::rules::length::chars::HasChars;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use crate::hash_pool::Turn;

/// A password.
///
/// What is hashed is its NFKC form (NIST SP 800-63B): the same characters can be typed as different code points, by the
/// keyboard or the system.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Password {
    normalized: String,
    /// As it was sent, where that differs.
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

/// The characters that were sent: what the API document limits.
impl HasChars for Password {
    fn num_chars(&self) -> usize {
        self.raw.as_ref().unwrap_or(&self.normalized).chars().count()
    }
}

impl Password {
    pub(crate) fn normalized(&self) -> &str {
        &self.normalized
    }

    /// What is stored of it: a PHC string, with the salt and the cost in it.
    ///
    /// # Errors
    /// When the system has no random numbers, or no memory.
    pub(crate) async fn hash(self, turn: Turn<'_>) -> Result<String> {
        Ok(turn.run(move |hasher| hasher.hash(&self.normalized)).await?)
    }

    /// Whether it is the stored one. Without a stored one it never is, which takes as long to find out.
    ///
    /// # Errors
    /// When the stored hash cannot be read.
    pub(crate) async fn verify(self, stored: Option<String>, turn: Turn<'_>) -> Result<bool> {
        let verify = move |hasher: &mut crate::hasher::Hasher| {
            // Earlier versions hashed the raw text. A wrong password that differs from its normal form takes two hashes,
            // with a stored one or without.
            for candidate in [Some(&self.normalized), self.raw.as_ref()].into_iter().flatten() {
                match &stored {
                    Some(stored) if hasher.verify(candidate, stored)? => return Ok(true),
                    Some(_) => {}
                    None => hasher.verify_dummy(candidate)?,
                }
            }
            Ok::<_, argon2::password_hash::Error>(false)
        };
        Ok(turn.run(verify).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash_pool::HashPool;
    use crate::hasher::Hasher;

    /// Typed on a Mac: e and an accent.
    const DECOMPOSED: &str = "cafe\u{301} correct";
    /// Typed elsewhere: one character.
    const COMPOSED: &str = "caf\u{e9} correct";

    fn password(text: &str) -> Password {
        Password::from(text.to_owned())
    }

    fn pool() -> HashPool {
        HashPool::start(1, 1).unwrap()
    }

    async fn is(stored: &str, text: &str) -> bool {
        password(text).verify(Some(stored.to_owned()), pool().turn().await.unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_hashed_is_verified_and_nothing_else() {
        let stored = password("correct horse").hash(pool().turn().await.unwrap()).await.unwrap();
        assert!(is(&stored, "correct horse").await);
        assert!(!is(&stored, "correct horsf").await);
    }

    #[tokio::test]
    async fn a_password_of_an_unknown_user_is_wrong() {
        assert!(!password("anything").verify(None, pool().turn().await.unwrap()).await.unwrap());
        assert!(!password(DECOMPOSED).verify(None, pool().turn().await.unwrap()).await.unwrap());
    }

    #[tokio::test]
    async fn a_stored_hash_that_cannot_be_read_is_an_error() {
        assert!(password("anything").verify(Some("plain".to_owned()), pool().turn().await.unwrap()).await.is_err());
    }

    #[tokio::test]
    async fn equal_characters_are_one_password_however_they_were_typed() {
        for text in [COMPOSED, DECOMPOSED, "ｃafé correct"] {
            let stored = password(text).hash(pool().turn().await.unwrap()).await.unwrap();
            for again in [COMPOSED, DECOMPOSED, "ｃafé correct"] {
                assert!(is(&stored, again).await, "{again:?} for {text:?}");
            }
            assert!(!is(&stored, "cafe correct").await);
        }
    }

    #[tokio::test]
    async fn a_hash_of_the_raw_text_still_verifies() {
        let stored = Hasher::default().hash(DECOMPOSED).unwrap();
        assert!(is(&stored, DECOMPOSED).await);
        assert!(!is(&stored, "cafe\u{301} corrects").await);
    }

    #[test]
    fn the_characters_that_were_sent_are_counted() {
        assert_eq!((password(COMPOSED).num_chars(), password(DECOMPOSED).num_chars()), (12, 13));
    }

    #[test]
    fn debug_hides_it() {
        assert!(!format!("{:?}", password("hunter22")).contains("hunter22"));
    }
}
