//! Reading of the settings' files, and a fingerprint of their contents.

use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::Path;

/// Maximum size of a file with a value, in bytes.
const VALUE_LIMIT: u64 = 64 * 1024;

/// A fingerprint of the contents of all files that a load reads. Fingerprints are equal if the contents are equal.
///
/// Symbolic links are followed, so a link to another file with the same content changes nothing. A missing or
/// unreadable file counts as content too. Fingerprints of different processes are not comparable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// Omits the hash, from which a short secret could be guessed.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// Reads files and computes the fingerprint of all of them.
#[derive(Default)]
pub(crate) struct Files(DefaultHasher);

impl Files {
    /// Reads a file of settings.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<String> {
        let content = fs::read(path);
        hash_content(path, &content).hash(&mut self.0);
        io::read_to_string(content?.as_slice())
    }

    /// Reads a file that contains a value, and trims it. The error never contains any of the content.
    pub(crate) fn read_value(&mut self, path: &Path) -> Result<String, String> {
        let content = read_limited(path);
        hash_content(path, &content).hash(&mut self.0);
        let content = content.map_err(|error| format!("the file cannot be read: {error}"))?;
        let text = str::from_utf8(&content).map_err(|_| "the file is not UTF-8")?.trim();
        if text.is_empty() { Err("the file is empty".into()) } else { Ok(text.to_owned()) }
    }

    /// The hash of a file that may contain a value.
    pub(crate) fn hash_value_file(&mut self, path: &Path) -> u64 {
        let hash = hash_content(path, &read_limited(path));
        hash.hash(&mut self.0);
        hash
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.0.finish())
    }
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a named pipe would block until there is a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(VALUE_LIMIT + 1).read_to_end(&mut content)?;
    if content.len() as u64 > VALUE_LIMIT {
        let reason = format!("larger than {VALUE_LIMIT} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(content)
}

fn hash_content(path: &Path, content: &io::Result<Vec<u8>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (path, content.as_ref().map_err(ToString::to_string)).hash(&mut hasher);
    hasher.finish()
}
