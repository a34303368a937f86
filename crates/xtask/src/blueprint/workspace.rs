//! The workspace that the command works on, and the blueprints that are in it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::digest::Files;
use super::list;
use super::manifest::Manifest;

pub(super) const ROOT: &str = "Cargo.toml";
pub(super) const APP: &str = "crates/app/Cargo.toml";
pub(super) const TESTS: &str = "tests/Cargo.toml";

/// A workspace of Cyanotype.
#[derive(Debug)]
pub(super) struct Workspace {
    pub root: PathBuf,
}

/// A blueprint that has a crate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Found {
    pub name: String,
    /// `None` when its sources do not say it as a text.
    pub prefix: Option<String>,
    /// The folder of its crate.
    #[serde(rename = "crate")]
    pub folder: String,
    /// Whether it is on the app's list.
    pub registered: bool,
}

impl Workspace {
    /// The one that this directory is in.
    pub fn around(directory: &Path) -> Result<Self, String> {
        let is_root = |dir: &&Path| {
            let text = fs::read_to_string(dir.join(ROOT)).unwrap_or_default();
            Manifest::new(ROOT, &text).is_ok_and(|manifest| manifest.get(&["workspace"]).is_some())
        };
        let Some(root) = directory.ancestors().find(is_root) else {
            return Err(format!("{} is in no Cargo workspace: change into one of Cyanotype", directory.display()));
        };
        let workspace = Self { root: root.into() };
        workspace.check().map_err(|why| format!("{} is no workspace of Cyanotype: {why}", root.display()))?;
        Ok(workspace)
    }

    fn check(&self) -> Result<(), String> {
        let core = self.manifest("crates/core/Cargo.toml")?;
        if core.get(&["package", "name"]).and_then(|name| name.as_str()) != Some("cyanotype") {
            return Err("crates/core is not the package cyanotype".into());
        }
        if !list::is_list(&self.read(list::PATH)?) {
            return Err(format!("{} is not the list of blueprints", list::PATH));
        }
        Ok(())
    }

    pub fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("{path} cannot be read: {error}"))
    }

    pub fn manifest(&self, path: &str) -> Result<Manifest, String> {
        Manifest::new(path, &self.read(path)?)
    }

    /// All files below a folder, by their paths in it; none when there is no such folder.
    pub fn files(&self, folder: &str) -> Result<Files, String> {
        let mut files = Files::new();
        match fs::metadata(self.root.join(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => self.collect(folder, "", &mut files)?,
        }
        Ok(files)
    }

    fn collect(&self, folder: &str, below: &str, files: &mut Files) -> Result<(), String> {
        let unreadable = |path: &str, error: std::io::Error| format!("{folder}/{path} cannot be read: {error}");
        let entries = fs::read_dir(self.root.join(folder).join(below)).map_err(|error| unreadable(below, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(below, error))?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| format!("{folder}/{below} has a file whose name is not UTF-8"))?;
            let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            let kind = entry.file_type().map_err(|error| unreadable(&path, error))?;
            if kind.is_dir() {
                self.collect(folder, &path, files)?;
            } else if kind.is_file() {
                let content = fs::read(entry.path()).map_err(|error| unreadable(&path, error))?;
                files.insert(path, content);
            } else {
                return Err(format!("{folder}/{path} is neither a file nor a folder: see to it first"));
            }
        }
        Ok(())
    }

    /// The folders of all crates, as paths from the root.
    pub fn crates(&self) -> Result<Vec<String>, String> {
        let entries =
            fs::read_dir(self.root.join("crates")).map_err(|error| format!("crates cannot be read: {error}"))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut folders: Vec<String> = names.map(|name| format!("crates/{name}")).collect();
        folders.push("tests".into());
        folders.retain(|folder| self.root.join(folder).join(ROOT).is_file());
        folders.sort();
        Ok(folders)
    }

    pub fn blueprints(&self) -> Result<Vec<Found>, String> {
        let listed = self.read(list::PATH)?;
        let mut found = Vec::new();
        for folder in self.crates()? {
            let Some(name) = folder.strip_prefix("crates/blueprint-") else { continue };
            let registered = list::names(&listed, &format!("blueprint_{}", name.replace('-', "_")));
            found.push(Found { name: name.into(), prefix: self.prefix(&folder)?, registered, folder });
        }
        Ok(found)
    }

    fn prefix(&self, folder: &str) -> Result<Option<String>, String> {
        let sources = self.sources(folder)?;
        Ok(sources.iter().find_map(|(_, text)| prefix_in(text)))
    }

    /// The Rust sources of a crate, by their paths in it.
    pub fn sources(&self, folder: &str) -> Result<Vec<(String, String)>, String> {
        let files = self.files(&format!("{folder}/src"))?;
        let sources = files.into_iter().filter(|(path, _)| path.ends_with(".rs"));
        Ok(sources.map(|(path, content)| (path, String::from_utf8_lossy(&content).into_owned())).collect())
    }

    /// The migrations of all crates: the folder of each with its statements.
    pub fn migrations(&self) -> Result<Vec<(String, String)>, String> {
        let mut migrations = Vec::new();
        for folder in self.crates()? {
            let files = self.files(&format!("{folder}/migrations"))?.into_values();
            migrations.extend(files.map(|content| (folder.clone(), String::from_utf8_lossy(&content).into_owned())));
        }
        Ok(migrations)
    }
}

/// The prefix that a source gives its blueprint: a constant, or the text that the method returns.
fn prefix_in(source: &str) -> Option<String> {
    let after = |mark: &str| source.split_once(mark).map(|(_, rest)| rest);
    let text = after("const PREFIX: &str = ").or_else(|| {
        let body = after("fn prefix(&self) -> &str {")?;
        Some(body.trim_start())
    })?;
    let (prefix, _) = text.strip_prefix('"')?.split_once('"')?;
    Some(prefix.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_constant_or_a_text() {
        assert_eq!(prefix_in("const PREFIX: &str = \"/stock\";"), Some("/stock".into()));
        assert_eq!(prefix_in("fn prefix(&self) -> &str {\n        \"/stock\"\n    }"), Some("/stock".into()));
        assert_eq!(prefix_in("fn prefix(&self) -> &str {\n        PREFIX\n    }"), None);
        assert_eq!(prefix_in(""), None);
    }

    #[test]
    fn this_workspace_is_found_from_anywhere_inside_and_no_other() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = Workspace::around(&here.join("src")).unwrap();
        assert_eq!(Some(&*workspace.root), here.parent().and_then(Path::parent));
        let blueprints = workspace.blueprints().unwrap();
        let users = blueprints.iter().find(|found| found.name == "users").unwrap();
        assert_eq!((users.prefix.as_deref(), users.registered), (Some("/users"), true));
        assert_eq!(users.folder, "crates/blueprint-users");

        let refused = Workspace::around(Path::new("/")).unwrap_err();
        assert!(refused.contains("is in no Cargo workspace"), "{refused}");
        let refused = Workspace::around(&workspace.root.join("crates/redact/fuzz")).unwrap_err();
        assert!(refused.contains("is no workspace of Cyanotype"), "{refused}");
    }
}
