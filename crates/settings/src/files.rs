//! The files that settings are read from, and a fingerprint of what they contain.

use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::Path;

/// The largest file that a value is read from, in bytes.
const VALUE_LIMIT: u64 = 64 * 1024;

/// What the files contained that settings were read from, or would be: two are equal while that is the same.
///
/// Files are read through symbolic links, so that a link to another file of equal content changes nothing. That a file is
/// missing, or cannot be read, is a content too. It has a meaning in the process that made it alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// By the hash of a short secret the secret could be guessed.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// Reads files, and takes the fingerprint of all that it read.
#[derive(Default)]
pub(crate) struct Files(DefaultHasher);

impl Files {
    /// A file of settings.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<String> {
        let content = fs::read(path);
        hash_content(path, &content).hash(&mut self.0);
        io::read_to_string(content?.as_slice())
    }

    /// A file whose content is a value, without the white space around it. The reason why it cannot be one never has any of
    /// it.
    pub(crate) fn read_value(&mut self, path: &Path) -> Result<String, String> {
        let content = read_limited(path);
        hash_content(path, &content).hash(&mut self.0);
        let content = content.map_err(|error| format!("the file cannot be read: {error}"))?;
        let text = str::from_utf8(&content).map_err(|_| "the file is not UTF-8")?.trim();
        if text.is_empty() { Err("the file is empty".into()) } else { Ok(text.to_owned()) }
    }

    /// The hash of such a file, for who knows of it only that it may be one.
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
    // Opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(VALUE_LIMIT + 1).read_to_end(&mut content)?;
    if content.len() as u64 > VALUE_LIMIT {
        let reason = format!("it is larger than {VALUE_LIMIT} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(content)
}

fn hash_content(path: &Path, content: &io::Result<Vec<u8>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (path, content.as_ref().map_err(ToString::to_string)).hash(&mut hasher);
    hasher.finish()
}
