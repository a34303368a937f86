//! Temporary directories for tests.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process, thread};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.ancestors().find(|directory| directory.join("Cargo.lock").exists());
    root.expect("the package lies inside the workspace").to_path_buf()
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    workspace().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| OsString::from("target")))
}

/// Makes a directory with its parents, or panics with its path.
pub fn make_dir(path: &Path) {
    fs::create_dir_all(path).unwrap_or_else(|e| panic!("cannot make the directory {}: {e}", path.display()));
}

/// Writes a file, or panics with its path.
pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

/// Reads a file as text, or panics with its path. Another process may have written part of a character, so invalid UTF-8 is
/// replaced.
pub fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A new directory under `target/system-tests/`. It is removed on drop, unless the test is failing: then its path is
/// printed.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes `<name>-<pid>-<n>`.
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = target().join("system-tests").join(format!("{name}-{}-{n}", process::id()));
        // A directory of a failed test in an earlier process with the same id.
        let _ = fs::remove_dir_all(&path);
        make_dir(&path);
        Self(path)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file or directory in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// The names of its files and directories, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap_or_else(|e| panic!("cannot read {}: {e}", self.0.display()));
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("it is readable").file_name();
        let mut names: Vec<String> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    #[expect(clippy::print_stderr, reason = "helps to investigate the failed test")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("not deleted, for inspection: {}", self.0.display());
        } else {
            // A leftover directory is harmless, and a panic in `drop` would hide the test's result.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
