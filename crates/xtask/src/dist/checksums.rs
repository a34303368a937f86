//! `SHA256SUMS`, which `sha256sum --check` reads.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{binary, documents, package};

const NAME: &str = "SHA256SUMS";

pub struct Released {
    /// Relative to the directory of the release.
    pub path: String,
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// Writes the checksums of all files that are present.
pub fn write(dist: &Path) -> Result<Vec<Released>, String> {
    let mut paths = present(dist)?;
    paths.sort();
    let files = paths.into_iter().map(|path| checksum(dist, path)).collect::<Result<Vec<_>, _>>()?;
    let text: String = files.iter().map(|file| format!("{}  {}\n", file.sha256, file.path)).collect();
    let path = dist.join(NAME);
    fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(files)
}

fn present(dist: &Path) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    for directory in ["", documents::COMPLETION_DIRECTORY, documents::MANUAL_DIRECTORY] {
        let entries = match fs::read_dir(dist.join(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|error| format!("cannot list {}: {error}", dist.join(directory).display()))?,
        };
        for entry in entries {
            let name = entry.map_err(|error| format!("cannot list {}: {error}", dist.display()))?.file_name();
            let name = name.to_string_lossy().into_owned();
            match directory {
                "" if [binary::APP, binary::DEBUG].contains(&&*name) || name.ends_with(package::EXTENSION) => {
                    paths.push(name);
                }
                "" => {}
                directory => paths.push(format!("{directory}/{name}")),
            }
        }
    }
    Ok(paths)
}

fn checksum(dist: &Path, path: String) -> Result<Released, String> {
    let file = dist.join(&path);
    let content = fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(Released { path, bytes: content.len() as u64, sha256: hex::encode(Sha256::digest(content)) })
}
