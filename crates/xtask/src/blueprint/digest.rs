//! Whether a crate is still as it was generated: its `Cargo.toml` ends with the SHA-256 of each file.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use toml_edit::DocumentMut;

/// A crate's files by their paths in it.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

const MANIFEST: &str = "Cargo.toml";

const HEAD: &str = "
# The SHA-256 of each file as it was generated, and of this one up to here: `cargo blueprint remove` takes nothing away that
# has been written since.
[package.metadata.blueprint.generated]
";

/// Ends the crate's `Cargo.toml` with the digests of its files.
pub(super) fn sign(files: &mut Files) {
    let digests: BTreeMap<String, String> = files.iter().map(|(path, content)| (path.clone(), of(content))).collect();
    if let Some(manifest) = files.get_mut(MANIFEST) {
        manifest.extend_from_slice(written(&digests).as_bytes());
    }
}

/// The files that are not as they were generated, with what has become of them; `None` when the crate was not generated.
pub(super) fn changed(files: &Files) -> Option<Vec<String>> {
    let manifest = std::str::from_utf8(files.get(MANIFEST)?).ok()?;
    let digests = digests(manifest)?;
    let own = manifest.split_once(HEAD).filter(|(_, rest)| written(&digests).ends_with(rest)).map(|(own, _)| own);
    let is_same = |path: &str, digest: &str| match path {
        MANIFEST => own.is_some_and(|own| of(own.as_bytes()) == digest),
        path => files.get(path).is_some_and(|content| of(content) == digest),
    };
    let told = digests.iter().filter(|(path, digest)| !is_same(path, digest));
    let mut changed: Vec<String> = told
        .map(|(path, _)| if files.contains_key(path) { path.clone() } else { format!("{path} (is not there)") })
        .collect();
    changed.extend(files.keys().filter(|path| !digests.contains_key(*path)).map(|path| format!("{path} (is new)")));
    Some(changed)
}

fn digests(manifest: &str) -> Option<BTreeMap<String, String>> {
    let document: DocumentMut = manifest.parse().ok()?;
    let place = ["package", "metadata", "blueprint", "generated"];
    let table = place.iter().try_fold(document.as_item(), |item, key| item.get(key))?.as_table()?;
    Some(table.iter().filter_map(|(path, digest)| Some((path.to_owned(), digest.as_str()?.to_owned()))).collect())
}

fn written(digests: &BTreeMap<String, String>) -> String {
    let lines = digests.iter().map(|(path, digest)| format!("\"{path}\" = \"{digest}\"\n"));
    HEAD.to_owned() + &lines.collect::<String>()
}

fn of(content: &[u8]) -> String {
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
        sign(&mut files);
        files
    }

    #[test]
    fn what_was_generated_is_known_again() {
        assert_eq!(changed(&generated()), Some(vec![]));
    }

    #[test]
    fn each_file_that_differs_is_named() {
        let mut files = generated();
        files.insert("src/lib.rs".into(), b"pub struct Stock {}\n".to_vec());
        files.insert("src/more.rs".into(), vec![]);
        assert_eq!(changed(&files), Some(vec!["src/lib.rs".into(), "src/more.rs (is new)".into()]));
        files.remove("src/lib.rs");
        assert_eq!(changed(&files), Some(vec!["src/lib.rs (is not there)".into(), "src/more.rs (is new)".into()]));
    }

    #[test]
    fn the_manifest_itself_is_held_to_its_digest() {
        let manifest = |edit: fn(String) -> String| {
            let mut files = generated();
            let text = String::from_utf8(files["Cargo.toml"].clone()).unwrap();
            files.insert("Cargo.toml".into(), edit(text).into_bytes());
            changed(&files)
        };
        let named = Some(vec!["Cargo.toml".into()]);
        assert_eq!(manifest(|text| text.replace("stock", "stocks")), named);
        assert_eq!(manifest(|text| text + "\n[features]\nmore = []\n"), named);
        assert_eq!(manifest(|_| "[package]\nname = \"blueprint-users\"\n".into()), None);
    }
}
