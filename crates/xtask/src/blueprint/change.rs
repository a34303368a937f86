//! Files that are written or taken away together: all of them, or none.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// What a file becomes; without content it goes.
#[derive(Debug)]
pub(super) struct Edit {
    /// From the workspace's root.
    pub path: String,
    pub content: Option<Vec<u8>>,
}

impl Edit {
    pub fn to(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: Some(content.into()) }
    }

    pub fn away(path: impl Into<String>) -> Self {
        Self { path: path.into(), content: None }
    }
}

/// Keeps others of this command out of the workspace until it is dropped.
pub(super) fn alone(root: &Path) -> Result<File, String> {
    let path = root.join("Cargo.toml");
    let locked = File::open(&path).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| format!("{} cannot be locked: {error}", path.display()))
}

/// Makes the edits, then does what is left to do, which may change `also`. When anything fails, all is as it was.
pub(super) fn make(
    root: &Path,
    edits: &[Edit],
    also: &str,
    then: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let paths = edits.iter().map(|edit| &*edit.path).chain([also]);
    let before = paths.map(|path| Ok(Edit { path: path.into(), content: content(root, path)? }));
    let before: Vec<Edit> = before.collect::<Result<_, String>>()?;
    let Err(why) = edits.iter().try_for_each(|edit| write(root, edit)).and_then(|()| then()) else { return Ok(()) };
    let left: Vec<String> = before.iter().rev().filter_map(|edit| write(root, edit).err()).collect();
    match &left[..] {
        [] => Err(format!("{why}\nnothing was changed")),
        left => Err(format!("{why}\nand not all could be put back: {}", left.join("; "))),
    }
}

fn content(root: &Path, path: &str) -> Result<Option<Vec<u8>>, String> {
    match fs::read(root.join(path)) {
        Ok(content) => Ok(Some(content)),
        Err(error) if is_not_there(&error) => Ok(None),
        Err(error) => Err(format!("{path} cannot be read: {error}")),
    }
}

/// Below a file there is none either.
fn is_not_there(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind())
}

fn write(root: &Path, edit: &Edit) -> Result<(), String> {
    let path = root.join(&edit.path);
    let written = match &edit.content {
        // In place, so that whoever waits for the workspace still waits for the same file.
        Some(content) => {
            let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
            parent.and_then(|()| fs::write(&path, content))
        }
        None => match fs::remove_file(&path) {
            Err(error) if !is_not_there(&error) => Err(error),
            _ => {
                // Folders that are empty now go with it; the first that is not ends this.
                let _ = path.ancestors().skip(1).take_while(|dir| *dir != root).try_for_each(fs::remove_dir);
                Ok(())
            }
        },
    };
    written.map_err(|error| format!("{} cannot be written: {error}", edit.path))
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
    fn edits_are_made_and_empty_folders_go() {
        let root = root();
        make(root.path(), &[Edit::to("new/deep/b", "b"), Edit::away("old/a")], "lock", || Ok(())).unwrap();
        assert_eq!(fs::read_to_string(root.join("new/deep/b")).unwrap(), "b");
        assert!(!root.join("old").exists());
    }

    #[test]
    fn when_a_later_step_fails_all_is_as_it_was() {
        let root = root();
        let edits = [Edit::to("new/deep/b", "b"), Edit::to("lock", "2"), Edit::away("old/a")];
        let failed = make(root.path(), &edits, "lock", || {
            fs::write(root.join("lock"), "3").unwrap();
            Err("no".into())
        });
        assert_eq!(failed.unwrap_err(), "no\nnothing was changed");
        assert_eq!(fs::read_to_string(root.join("old/a")).unwrap(), "a");
        assert_eq!(fs::read_to_string(root.join("lock")).unwrap(), "1");
        assert!(!root.join("new").exists());

        // Nothing can be written below a file.
        let failed = make(root.path(), &[Edit::to("new/b", "b"), Edit::to("new/b/c", "c")], "lock", || Ok(()));
        assert!(failed.unwrap_err().ends_with("nothing was changed"));
        assert!(!root.join("new").exists());
    }
}
