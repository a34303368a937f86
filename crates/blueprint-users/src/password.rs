//! Passwords: hashed with argon2id, away from the threads that answer requests.

use std::fmt;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use cyanotype::Result;
use garde::rules::length::chars::HasChars;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Each hash takes 19 MiB and a core for itself. More at once than there are cores would take memory and bring nothing;
/// who comes later waits.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, std::num::NonZero::get)));

/// Of the length that a real salt has, so that hashing with it costs as much.
const NOBODYS_SALT: &[u8; 16] = b"nobody's own one";

/// A password as the client sent it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl HasChars for Password {
    fn num_chars(&self) -> usize {
        self.0.chars().count()
    }
}

impl Password {
    /// What is stored of it: a PHC string, with the salt and the cost in it.
    pub(crate) async fn hash(self) -> Result<String> {
        in_turn(move || Argon2::default().hash_password(self.0.as_bytes()).map(|hash: PasswordHash| hash.to_string()))
            .await
    }

    /// Whether it is the one that was stored. Without one it never is, which takes as long to find out.
    pub(crate) async fn is(self, stored: Option<String>) -> Result<bool> {
        in_turn(move || {
            if let Some(stored) = stored {
                return matches(&self.0, &stored);
            }
            let wasted: Result<PasswordHash, _> =
                Argon2::default().hash_password_with_salt(self.0.as_bytes(), NOBODYS_SALT);
            wasted.map(|_| false)
        })
        .await
    }
}

fn matches(password: &str, stored: &str) -> Result<bool, HashError> {
    let stored = PasswordHash::new(stored)?;
    match Argon2::default().verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(true),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The turn goes with the work and not with the request: a client that leaves does not end a hash that has begun.
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> Result<T, HashError> + Send + 'static) -> Result<T> {
    let turn = TURNS.acquire().await?;
    let done = spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    Ok(done.await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password(text.to_owned())
    }

    #[tokio::test]
    async fn what_was_hashed_is_recognised_and_nothing_else() {
        let stored = password("correct horse").hash().await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(password("correct horse").is(Some(stored.clone())).await.unwrap());
        assert!(!password("correct horsf").is(Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn each_hash_has_a_salt_of_its_own() {
        assert_ne!(password("the same").hash().await.unwrap(), password("the same").hash().await.unwrap());
    }

    #[tokio::test]
    async fn nobodys_password_is_wrong() {
        assert!(!password("anything").is(None).await.unwrap());
    }

    #[tokio::test]
    async fn a_stored_hash_that_cannot_be_read_is_an_error_and_no_wrong_password() {
        assert!(password("anything").is(Some("plain".to_owned())).await.is_err());
    }

    #[test]
    fn debug_hides_it() {
        assert!(!format!("{:?}", password("hunter22")).contains("hunter22"));
    }
}
