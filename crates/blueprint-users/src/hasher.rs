//! Argon2id hashing that reuses its memory.

use argon2::password_hash::Error;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use rand::TryRng;
use rand::rngs::SysRng;

/// Has the length of a real salt, so that hashing with it costs the same.
const DUMMY_SALT: &[u8; 16] = b"a dummy's salt 1";

/// The number of blocks to allocate: 33 MiB, more than the 19 MiB that a hash fills; unfilled blocks do not become resident.
/// glibc always maps allocations larger than 32 MiB separately and unmaps them when they are freed. After the first such free,
/// smaller allocations come from a heap that is not returned to the system.
const CAPACITY: usize = 33 * 1024;

/// Hashes passwords in the memory of one thread.
#[derive(Debug, Default)]
pub(crate) struct Hasher {
    blocks: Vec<Block>,
}

impl Hasher {
    /// Hashes a password with a new salt and the current parameters. Returns a PHC string, which contains both.
    pub(crate) fn hash(&mut self, password: &str) -> Result<String, Error> {
        let (algorithm, version, params) = (Algorithm::default(), Version::default(), Params::default());
        let mut salt = [0; Salt::RECOMMENDED_LENGTH];
        SysRng.try_fill_bytes(&mut salt).map_err(|_| Error::Crypto)?;
        let output = self.output(&Argon2::new(algorithm, version, params.clone()), password, &salt)?;
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(Salt::new(&salt)?),
            hash: Some(output),
        };
        Ok(hash.to_string())
    }

    /// Whether a password matches a PHC string, with the parameters that the string contains.
    pub(crate) fn verify(&mut self, password: &str, stored: &str) -> Result<bool, Error> {
        let stored = PasswordHash::new(stored)?;
        let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
        let version = stored.version.map(Version::try_from).transpose()?.unwrap_or_default();
        let argon2 = Argon2::new(algorithm, version, Params::try_from(&stored)?);
        let salt = stored.salt.as_ref().ok_or(Error::SaltInvalid)?;
        // `Output` compares in constant time.
        Ok(Some(self.output(&argon2, password, salt)?) == stored.hash)
    }

    /// Takes as long as `verify`, for a user who does not exist.
    pub(crate) fn verify_dummy(&mut self, password: &str) -> Result<(), Error> {
        self.output(&Argon2::default(), password, DUMMY_SALT).map(drop)
    }

    /// Returns the memory to the system.
    pub(crate) fn release(&mut self) {
        self.blocks = Vec::new();
    }

    fn output(&mut self, argon2: &Argon2<'_>, password: &str, salt: &[u8]) -> Result<Output, Error> {
        let (count, length) = (argon2.params().block_count(), argon2.params().output_len());
        if self.blocks.len() < count {
            let more = count.max(CAPACITY) - self.blocks.len();
            self.blocks.try_reserve_exact(more).map_err(|_| Error::OutOfMemory)?;
            self.blocks.resize(count, Block::new());
        }
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..length.unwrap_or(Params::DEFAULT_OUTPUT_LEN)).ok_or(Error::OutputSize)?;
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut self.blocks[..])?;
        Ok(Output::new(output)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::CustomizedPasswordHasher;

    const PASSWORD: &str = "correct horse";

    /// A hash with other parameters, made by the library alone.
    fn stored(
        algorithm: Algorithm,
        version: Version,
        (memory, passes, lanes): (u32, u32, u32),
        length: usize,
    ) -> String {
        let params = Params::new(memory, passes, lanes, Some(length)).unwrap();
        let argon2 = Argon2::default();
        let (algorithm, version) = (Some(algorithm.as_str()), Some(version.into()));
        argon2
            .hash_password_customized(PASSWORD.as_bytes(), b"a salt of 16 byt", algorithm, version, params)
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_password_matches_only_its_own_hash() {
        let mut hasher = Hasher::default();
        let stored = hasher.hash(PASSWORD).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(hasher.verify(PASSWORD, &stored).unwrap());
        assert!(!hasher.verify("correct horsf", &stored).unwrap());
        assert!(hasher.verify_dummy(PASSWORD).is_ok());
    }

    #[test]
    fn each_hash_has_a_new_salt() {
        let mut hasher = Hasher::default();
        assert_ne!(hasher.hash(PASSWORD).unwrap(), hasher.hash(PASSWORD).unwrap());
    }

    #[test]
    fn hashes_with_any_parameters_are_verified_in_the_same_memory() {
        let mut hasher = Hasher::default();
        let costs = [(40_000, 1, 1), (64, 3, 4), (19_456, 2, 1), (8, 1, 1)];
        for (cost, length) in costs.into_iter().zip([32, 16, 64, 32]) {
            for algorithm in [Algorithm::Argon2id, Algorithm::Argon2i, Algorithm::Argon2d] {
                for version in [Version::V0x13, Version::V0x10] {
                    let stored = stored(algorithm, version, cost, length);
                    assert!(hasher.verify(PASSWORD, &stored).unwrap(), "{stored}");
                    assert!(!hasher.verify("another", &stored).unwrap(), "{stored}");
                }
            }
        }
        hasher.release();
        assert_eq!(hasher.blocks.capacity(), 0);
        assert!(hasher.hash(PASSWORD).is_ok());
    }

    #[test]
    fn memory_is_reused() {
        let mut hasher = Hasher::default();
        hasher.hash(PASSWORD).unwrap();
        // This hash needs only 8 blocks.
        assert!(hasher.verify(PASSWORD, &stored(Algorithm::Argon2id, Version::V0x13, (8, 1, 1), 32)).unwrap());
        assert_eq!((hasher.blocks.len(), hasher.blocks.capacity()), (19_456, CAPACITY));
    }

    #[test]
    fn an_unreadable_hash_is_an_error_not_a_mismatch() {
        let mut hasher = Hasher::default();
        for unreadable in ["plain", "$argon2id$v=19$m=19456,t=2,p=1", "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q"] {
            assert!(hasher.verify(PASSWORD, unreadable).is_err(), "{unreadable}");
        }
    }
}
