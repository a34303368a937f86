//! Edits of several files, applied all or none.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// One file to be written or deleted.
#[derive(Debug)]
pub(super) struct Edit {
    /// Relative to the workspace root.
    pub path: String,
    /// `None` deletes the file.
    pub content: Option<Vec<u8>>,
}

impl Edit {
    pub fn write(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: Some(content.into()) }
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self { path: path.into(), content: None }
    }
}

/// Locks the workspace against other runs of this command until the file is dropped.
pub(super) fn lock(root: &Path) -> Result<File, String> {
    let path = root.join("Cargo.toml");
    let locked = File::open(&path).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| format!("cannot lock {}: {error}", path.display()))
}

/// Applies the edits, then runs `then`, which may change the file `also`. If any step fails, all files are restored.
pub(super) fn apply(
    root: &Path,
    edits: &[Edit],
    also: &str,
    then: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let paths = edits.iter().map(|edit| &*edit.path).chain([also]);
    let before = paths.map(|path| Ok(Edit { path: path.into(), content: content(root, path)? }));
    let before: Vec<Edit> = before.collect::<Result<_, String>>()?;
    let Err(reason) = edits.iter().try_for_each(|edit| write(root, edit)).and_then(|()| then()) else { return Ok(()) };
    let failures: Vec<String> = before.iter().rev().filter_map(|edit| write(root, edit).err()).collect();
    match &failures[..] {
        [] => Err(format!("{reason}\nno files were changed")),
        failures => Err(format!("{reason}\ncould not restore all files: {}", failures.join("; "))),
    }
}

fn content(root: &Path, path: &str) -> Result<Option<Vec<u8>>, String> {
    match fs::read(root.join(path)) {
        Ok(content) => Ok(Some(content)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(format!("cannot read {path}: {error}")),
    }
}

/// A path below a regular file is missing, too.
fn is_missing(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind())
}

fn write(root: &Path, edit: &Edit) -> Result<(), String> {
    let path = root.join(&edit.path);
    let result = match &edit.content {
        // Written in place: other runs wait for the lock on the same inode.
        Some(content) => {
            let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
            parent.and_then(|()| fs::write(&path, content))
        }
        None => match fs::remove_file(&path) {
            Err(error) if !is_missing(&error) => Err(error),
            _ => {
                // Remove parent directories until one is not empty.
                let _ = path.ancestors().skip(1).take_while(|dir| *dir != root).try_for_each(fs::remove_dir);
                Ok(())
            }
        },
    };
    result.map_err(|error| format!("cannot write {}: {error}", edit.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_harness::scratch::{self, Scratch};

    fn root() -> Scratch {
        let root = Scratch::new("change");
        scratch::make_dir(&root.join("old"));
        scratch::write(&root.join("old/a"), "a");
        scratch::write(&root.join("lock"), "1");
        root
    }

    #[test]
    fn edits_are_applied_and_empty_directories_are_removed() {
        let root = root();
        apply(root.path(), &[Edit::write("new/deep/b", "b"), Edit::delete("old/a")], "lock", || Ok(())).unwrap();
        assert_eq!(fs::read_to_string(root.join("new/deep/b")).unwrap(), "b");
        assert!(!root.join("old").exists());
    }

    #[test]
    fn a_failed_step_restores_all_files() {
        let root = root();
        let edits = [Edit::write("new/deep/b", "b"), Edit::write("lock", "2"), Edit::delete("old/a")];
        let failed = apply(root.path(), &edits, "lock", || {
            fs::write(root.join("lock"), "3").unwrap();
            Err("no".into())
        });
        assert_eq!(failed.unwrap_err(), "no\nno files were changed");
        assert_eq!(fs::read_to_string(root.join("old/a")).unwrap(), "a");
        assert_eq!(fs::read_to_string(root.join("lock")).unwrap(), "1");
        assert!(!root.join("new").exists());

        // A path below a regular file cannot be written.
        let failed = apply(root.path(), &[Edit::write("new/b", "b"), Edit::write("new/b/c", "c")], "lock", || Ok(()));
        assert!(failed.unwrap_err().ends_with("no files were changed"));
        assert!(!root.join("new").exists());
    }
}
