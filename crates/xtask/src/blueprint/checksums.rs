//! Detects files of a generated crate that were modified: the crate's `Cargo.toml` ends with the SHA-256 of each file.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use toml_edit::DocumentMut;

/// A crate's files by their paths relative to the crate.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

const MANIFEST: &str = "Cargo.toml";

const HEADER: &str = "
# The SHA-256 of each generated file, and of this file up to this line. `cargo blueprint remove` compares them and refuses to
# delete files that were modified after generation.
[package.metadata.blueprint.generated]
";

/// Appends the checksums of all files to the crate's `Cargo.toml`.
pub(super) fn add(files: &mut Files) {
    let checksums: BTreeMap<String, String> =
        files.iter().map(|(path, content)| (path.clone(), sha256(content))).collect();
    if let Some(manifest) = files.get_mut(MANIFEST) {
        manifest.extend_from_slice(section(&checksums).as_bytes());
    }
}

/// The modified, missing and new files of a generated crate; `None` when the crate was not generated.
pub(super) fn modified(files: &Files) -> Option<Vec<String>> {
    let manifest = std::str::from_utf8(files.get(MANIFEST)?).ok()?;
    let checksums = parse(manifest)?;
    let generated =
        manifest.split_once(HEADER).filter(|(_, rest)| section(&checksums).ends_with(rest)).map(|(before, _)| before);
    let is_unmodified = |path: &str, checksum: &str| match path {
        MANIFEST => generated.is_some_and(|text| sha256(text.as_bytes()) == checksum),
        path => files.get(path).is_some_and(|content| sha256(content) == checksum),
    };
    let differing = checksums.iter().filter(|(path, checksum)| !is_unmodified(path, checksum));
    let mut modified: Vec<String> = differing
        .map(|(path, _)| if files.contains_key(path) { path.clone() } else { format!("{path} (missing)") })
        .collect();
    modified.extend(files.keys().filter(|path| !checksums.contains_key(*path)).map(|path| format!("{path} (new)")));
    Some(modified)
}

fn parse(manifest: &str) -> Option<BTreeMap<String, String>> {
    let document: DocumentMut = manifest.parse().ok()?;
    let keys = ["package", "metadata", "blueprint", "generated"];
    let table = keys.iter().try_fold(document.as_item(), |item, key| item.get(key))?.as_table()?;
    Some(table.iter().filter_map(|(path, checksum)| Some((path.to_owned(), checksum.as_str()?.to_owned()))).collect())
}

fn section(checksums: &BTreeMap<String, String>) -> String {
    let lines = checksums.iter().map(|(path, checksum)| format!("\"{path}\" = \"{checksum}\"\n"));
    HEADER.to_owned() + &lines.collect::<String>()
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated() -> Files {
        let text = |text: &str| text.as_bytes().to_vec();
        let mut files = Files::from([
            ("Cargo.toml".to_owned(), text("[package]\nname = \"blueprint-stock\"\n")),
            ("src/lib.rs".to_owned(), text("pub struct Stock;\n")),
        ]);
        add(&mut files);
        files
    }

    #[test]
    fn a_generated_crate_is_unmodified() {
        assert_eq!(modified(&generated()), Some(vec![]));
    }

    #[test]
    fn each_file_that_differs_is_named() {
        let mut files = generated();
        files.insert("src/lib.rs".into(), b"pub struct Stock {}\n".to_vec());
        files.insert("src/more.rs".into(), vec![]);
        assert_eq!(modified(&files), Some(vec!["src/lib.rs".into(), "src/more.rs (new)".into()]));
        files.remove("src/lib.rs");
        assert_eq!(modified(&files), Some(vec!["src/lib.rs (missing)".into(), "src/more.rs (new)".into()]));
    }

    #[test]
    fn changes_to_the_manifest_are_detected() {
        let manifest = |edit: fn(String) -> String| {
            let mut files = generated();
            let text = String::from_utf8(files["Cargo.toml"].clone()).unwrap();
            files.insert("Cargo.toml".into(), edit(text).into_bytes());
            modified(&files)
        };
        let named = Some(vec!["Cargo.toml".into()]);
        assert_eq!(manifest(|text| text.replace("stock", "stocks")), named);
        assert_eq!(manifest(|text| text + "\n[features]\nmore = []\n"), named);
        assert_eq!(manifest(|_| "[package]\nname = \"blueprint-users\"\n".into()), None);
    }
}
