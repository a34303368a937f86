//! The workspace and its blueprints.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::blueprint_list;
use super::checksums::Files;
use super::manifest::Manifest;

pub(super) const ROOT: &str = "Cargo.toml";
pub(super) const APP: &str = "crates/app/Cargo.toml";
pub(super) const TESTS: &str = "tests/Cargo.toml";

/// A Cyanotype workspace.
#[derive(Debug)]
pub(super) struct Workspace {
    pub root: PathBuf,
}

/// The crate of a blueprint.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct BlueprintCrate {
    pub name: String,
    /// `None` when the sources contain no literal prefix.
    pub prefix: Option<String>,
    /// The directory of the crate, relative to the workspace root.
    #[serde(rename = "crate")]
    pub dir: String,
    /// Whether the app's blueprint list mentions it.
    pub registered: bool,
}

impl Workspace {
    /// The workspace that contains the directory.
    pub fn find(directory: &Path) -> Result<Self, String> {
        let is_root = |dir: &&Path| {
            let text = fs::read_to_string(dir.join(ROOT)).unwrap_or_default();
            Manifest::new(ROOT, &text).is_ok_and(|manifest| manifest.get(&["workspace"]).is_some())
        };
        let Some(root) = directory.ancestors().find(is_root) else {
            return Err(format!(
                "{} is not in a Cargo workspace; change to a directory of a Cyanotype workspace",
                directory.display()
            ));
        };
        let workspace = Self { root: root.into() };
        workspace.check().map_err(|reason| format!("{} is not a Cyanotype workspace: {reason}", root.display()))?;
        Ok(workspace)
    }

    fn check(&self) -> Result<(), String> {
        let core = self.manifest("crates/core/Cargo.toml")?;
        if core.get(&["package", "name"]).and_then(|name| name.as_str()) != Some("cyanotype") {
            return Err("the package in crates/core is not cyanotype".into());
        }
        if !blueprint_list::is_list(&self.read(blueprint_list::PATH)?) {
            return Err(format!("{} does not contain the blueprint list", blueprint_list::PATH));
        }
        Ok(())
    }

    pub fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("cannot read {path}: {error}"))
    }

    pub fn manifest(&self, path: &str) -> Result<Manifest, String> {
        Manifest::new(path, &self.read(path)?)
    }

    /// All files in a directory, by their paths relative to it. A missing directory has none.
    pub fn files(&self, dir: &str) -> Result<Files, String> {
        let mut files = Files::new();
        match fs::metadata(self.root.join(dir)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => self.collect(dir, "", &mut files)?,
        }
        Ok(files)
    }

    fn collect(&self, dir: &str, subdir: &str, files: &mut Files) -> Result<(), String> {
        let unreadable = |path: &str, error: std::io::Error| format!("cannot read {dir}/{path}: {error}");
        let entries = fs::read_dir(self.root.join(dir).join(subdir)).map_err(|error| unreadable(subdir, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(subdir, error))?;
            let name = entry.file_name();
            let name =
                name.to_str().ok_or_else(|| format!("{dir}/{subdir} contains a file name that is not valid UTF-8"))?;
            let path = if subdir.is_empty() { name.to_owned() } else { format!("{subdir}/{name}") };
            let file_type = entry.file_type().map_err(|error| unreadable(&path, error))?;
            if file_type.is_dir() {
                self.collect(dir, &path, files)?;
            } else if file_type.is_file() {
                let content = fs::read(entry.path()).map_err(|error| unreadable(&path, error))?;
                files.insert(path, content);
            } else {
                return Err(format!("{dir}/{path} is neither a regular file nor a directory; remove it first"));
            }
        }
        Ok(())
    }

    /// The directories of all crates, relative to the workspace root.
    pub fn crates(&self) -> Result<Vec<String>, String> {
        let entries = fs::read_dir(self.root.join("crates")).map_err(|error| format!("cannot read crates: {error}"))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut dirs: Vec<String> = names.map(|name| format!("crates/{name}")).collect();
        dirs.push("tests".into());
        dirs.retain(|dir| self.root.join(dir).join(ROOT).is_file());
        dirs.sort();
        Ok(dirs)
    }

    pub fn blueprints(&self) -> Result<Vec<BlueprintCrate>, String> {
        let listed = self.read(blueprint_list::PATH)?;
        let mut blueprints = Vec::new();
        for dir in self.crates()? {
            let Some(name) = dir.strip_prefix("crates/blueprint-") else { continue };
            let registered = blueprint_list::mentions(&listed, &format!("blueprint_{}", name.replace('-', "_")));
            blueprints.push(BlueprintCrate { name: name.into(), prefix: self.prefix(&dir)?, registered, dir });
        }
        Ok(blueprints)
    }

    fn prefix(&self, dir: &str) -> Result<Option<String>, String> {
        let sources = self.sources(dir)?;
        Ok(sources.iter().find_map(|(_, text)| prefix_in(text)))
    }

    /// The Rust sources of a crate, by their paths relative to `src`.
    pub fn sources(&self, dir: &str) -> Result<Vec<(String, String)>, String> {
        let files = self.files(&format!("{dir}/src"))?;
        let sources = files.into_iter().filter(|(path, _)| path.ends_with(".rs"));
        Ok(sources.map(|(path, content)| (path, String::from_utf8_lossy(&content).into_owned())).collect())
    }

    /// The SQL of all migrations, each with the directory of its crate.
    pub fn migrations(&self) -> Result<Vec<(String, String)>, String> {
        let mut migrations = Vec::new();
        for dir in self.crates()? {
            let files = self.files(&format!("{dir}/migrations"))?.into_values();
            migrations.extend(files.map(|content| (dir.clone(), String::from_utf8_lossy(&content).into_owned())));
        }
        Ok(migrations)
    }
}

/// The path prefix in a source file: the constant `PREFIX`, or the literal that `prefix` returns.
fn prefix_in(source: &str) -> Option<String> {
    let after = |pattern: &str| source.split_once(pattern).map(|(_, rest)| rest);
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
    fn a_prefix_is_a_constant_or_a_literal() {
        assert_eq!(prefix_in("const PREFIX: &str = \"/stock\";"), Some("/stock".into()));
        assert_eq!(prefix_in("fn prefix(&self) -> &str {\n        \"/stock\"\n    }"), Some("/stock".into()));
        assert_eq!(prefix_in("fn prefix(&self) -> &str {\n        PREFIX\n    }"), None);
        assert_eq!(prefix_in(""), None);
    }

    #[test]
    fn the_workspace_is_found_from_any_of_its_directories() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = Workspace::find(&here.join("src")).unwrap();
        assert_eq!(Some(&*workspace.root), here.parent().and_then(Path::parent));
        let blueprints = workspace.blueprints().unwrap();
        let users = blueprints.iter().find(|blueprint| blueprint.name == "users").unwrap();
        assert_eq!((users.prefix.as_deref(), users.registered), (Some("/users"), true));
        assert_eq!(users.dir, "crates/blueprint-users");

        let error = Workspace::find(Path::new("/")).unwrap_err();
        assert!(error.contains("is not in a Cargo workspace"), "{error}");
        let error = Workspace::find(&workspace.root.join("crates/redact/fuzz")).unwrap_err();
        assert!(error.contains("is not a Cyanotype workspace"), "{error}");
    }
}
