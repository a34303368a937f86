//! A copy of this workspace's sources that tests can modify.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::binaries;
use crate::scratch::{self, Scratch};

/// Directories without sources.
const EXCLUDED: [&str; 5] = [".git", "artifacts", "data", "node_modules", "target"];

/// A copy of the workspace.
pub struct WorkspaceCopy {
    root: PathBuf,
    /// Removed together with the copy.
    _scratch: Option<Scratch>,
}

/// The files of a workspace by their paths in it.
pub type Tree = BTreeMap<PathBuf, Vec<u8>>;

impl WorkspaceCopy {
    /// A new copy without build output.
    pub fn fresh() -> Self {
        let scratch = Scratch::new("generator");
        let root = scratch.join("workspace");
        sync(&scratch::workspace(), &root);
        Self { root, _scratch: Some(scratch) }
    }

    /// A copy at a fixed path, so that its build output is reused; the lock gives one process exclusive access.
    pub fn cached() -> (Self, File) {
        let parent = scratch::target().join("generator");
        let root = parent.join("workspace");
        scratch::make_dir(&parent);
        let lock = File::create(parent.join("lock")).expect("the target directory can be written");
        lock.lock().expect("the file can be locked");
        scratch::make_dir(&root);
        visit_files(&root, Path::new(""), &mut |path| {
            if !scratch::workspace().join(path).exists() {
                fs::remove_file(root.join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                // Remove empty folders of a failed run, up to the first one with content.
                let folders = path.ancestors().skip(1).map(|folder| root.join(folder));
                let _ = folders.take_while(|folder| *folder != root).try_for_each(fs::remove_dir);
            }
        });
        sync(&scratch::workspace(), &root);
        let copy = Self { root, _scratch: None };
        copy.separate_profiles();
        (copy, lock)
    }

    /// Its root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads one of its files.
    pub fn read(&self, path: &str) -> String {
        scratch::read(&self.root.join(path))
    }

    /// Writes a file; creates its folder if needed.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        scratch::make_dir(path.parent().expect("a file is in a folder"));
        scratch::write(&path, content);
    }

    /// Replaces a text in one of its files; panics if it is not there.
    #[track_caller]
    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from}");
        self.write(path, &text.replace(from, to));
    }

    /// All of its files.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        visit_files(&self.root, Path::new(""), &mut |path| {
            let content = fs::read(self.root.join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            tree.insert(path.to_owned(), content);
        });
        tree
    }

    /// Runs `cargo blueprint` with these arguments.
    pub fn blueprint(&self, arguments: &[&str]) -> Output {
        self.blueprint_in("", arguments)
    }

    /// The same in a folder of the workspace.
    pub fn blueprint_in(&self, folder: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(binaries::xtask());
        command.arg("blueprint").args(arguments).current_dir(self.root.join(folder));
        command.output().expect("the binary runs")
    }

    /// Cargo in a cached copy. It builds the workspace's own crates, and reuses all others from this workspace's build.
    pub fn cargo(&self, arguments: &[&str]) -> Output {
        let mut command = binaries::low_priority_cargo(&self.target_dir());
        command.args(arguments).current_dir(&self.root);
        command.output().expect("cargo runs")
    }

    /// Builds the app of a cached copy.
    #[track_caller]
    pub fn build(&self) -> PathBuf {
        // With the features of `cargo test --workspace`, so that all other crates are built already.
        expect_success(self.cargo(&["build", "--quiet", "--locked", "--workspace", "--bin", "app"]));
        self.target_dir().join("debug/app")
    }

    fn target_dir(&self) -> PathBuf {
        self.root.with_file_name("built")
    }

    /// Gives the copy's crates their own profile, in a configuration file above the copy, so that Cargo distinguishes them
    /// from this workspace's crates.
    fn separate_profiles(&self) {
        let root = self.read("Cargo.toml");
        let profiles = between(&root, "members = [", "]").split('"').filter(|word| word.contains(char::is_alphabetic));
        let profiles = profiles.map(|folder| {
            let manifest = self.read(&format!("{folder}/Cargo.toml"));
            format!("[profile.dev.package.{}]\ndebug = false\n", between(&manifest, "name = \"", "\""))
        });
        let config = self.root.with_file_name(".cargo");
        scratch::make_dir(&config);
        scratch::write(&config.join("config.toml"), profiles.collect::<String>());
    }
}

/// The stdout of a command; panics if it failed.
#[track_caller]
pub fn expect_success(output: Output) -> String {
    let stdout = String::from_utf8(output.stdout).expect("stdout is UTF-8");
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout
}

/// The text between two markers.
#[track_caller]
pub fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let inside = text.split_once(begin).and_then(|(_, rest)| rest.split_once(end));
    inside.unwrap_or_else(|| panic!("nothing between {begin} and {end}")).0
}

/// Asserts that two trees have the same files; names those that differ.
#[track_caller]
pub fn assert_same_files(before: &Tree, after: &Tree, when: &str) {
    let paths = before.keys().chain(after.keys());
    let differ: Vec<_> = paths.filter(|path| before.get(*path) != after.get(*path)).collect();
    assert!(differ.is_empty(), "{when}: {differ:?}");
}

/// Copies files that differ. The others retain their modification time, so that Cargo does not rebuild them.
fn sync(from: &Path, to: &Path) {
    visit_files(from, Path::new(""), &mut |path| {
        let (from, to) = (from.join(path), to.join(path));
        let content = fs::read(&from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        if fs::read(&to).ok().as_ref() != Some(&content) {
            scratch::make_dir(to.parent().expect("a file is in a folder"));
            scratch::write(&to, content);
        }
    });
}

/// Calls `visit` with the path, relative to the root, of each file below a folder.
fn visit_files(root: &Path, folder: &Path, visit: &mut impl FnMut(&Path)) {
    let entries = fs::read_dir(root.join(folder)).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.map(|entry| entry.expect("a folder can be read")) {
        let path = folder.join(entry.file_name());
        match entry.file_type().expect("a file has a type") {
            kind if kind.is_dir() && EXCLUDED.iter().all(|name| entry.file_name() != *name) => {
                visit_files(root, &path, visit)
            }
            kind if kind.is_file() => visit(&path),
            _ => {}
        }
    }
}
