//! A Debian system: a root directory made by mmdebstrap, in which a real systemd runs as process 1 of its own namespaces, with
//! a network of its own. Packages are installed there, never on the machine. It needs root.

use std::ffi::OsString;
use std::fs::{self, File};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use test_harness::peers::prepared::{prepared, run};
use test_harness::scratch::{self, Scratch};

use super::booted::{Booted, Shell};
use super::program::program;

const BOOT: &str = include_str!("debian/boot.sh");
/// The essential packages, and what the units need.
const MMDEBSTRAP: [&str; 4] = ["--quiet", "--variant=essential", "--include=systemd", "bookworm"];

/// A running Debian. Dropping it ends it with all its processes, and removes its files.
pub struct Debian {
    // Before its files: fields are dropped in declaration order.
    booted: Booted,
    scratch: Scratch,
}

/// The archive of a new system, made once.
fn archive() -> PathBuf {
    let mmdebstrap = program("mmdebstrap", "mmdebstrap");
    let made = prepared("debian", MMDEBSTRAP, |directory| {
        let archive = directory.join("root.tar");
        run(mmdebstrap, MMDEBSTRAP.map(OsString::from).into_iter().chain([archive.into_os_string()]))
    });
    made.unwrap_or_else(|why| panic!("mmdebstrap, which needs root and the package registry, failed: {why}"))
        .join("root.tar")
}

impl Debian {
    /// Boots a new system.
    #[track_caller]
    pub fn boot() -> Self {
        let archive = archive();
        let scratch = Scratch::new("debian");
        let root = scratch.join("root");
        scratch::make_dir(&root);
        let tar = Command::new("tar").arg("-xpf").arg(&archive).arg("-C").arg(&root).output().expect("there is tar");
        assert!(tar.status.success(), "{}: {}", archive.display(), String::from_utf8_lossy(&tar.stderr));
        let shell = Shell {
            namespaces: &["--mount", "--net", "--pid", "--cgroup", "--root", "--wd"],
            arguments: ["sh", "-euc"].map(OsString::from).to_vec(),
        };
        let booted = Booted::start(BOOT, &root, scratch.join("log"), shell, "systemctl is-system-running --quiet");
        Self { booted, scratch }
    }

    /// The path of one of its files on the machine.
    pub fn path(&self, path: &str) -> PathBuf {
        self.scratch.join("root").join(path.trim_start_matches('/'))
    }

    /// Copies a file of the machine to `/root`, and returns its path there.
    #[track_caller]
    pub fn receive(&self, file: &Path) -> String {
        let name = file.file_name().and_then(|name| name.to_str()).expect("the file has a name in UTF-8");
        let path = format!("/root/{name}");
        fs::copy(file, self.path(&path)).unwrap_or_else(|e| panic!("cannot copy {}: {e}", file.display()));
        path
    }

    /// Runs a function in its network: there, 127.0.0.1 is the system's.
    #[track_caller]
    pub fn in_network<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        let network = format!("/proc/{}/ns/net", self.pid());
        let network = File::open(&network).unwrap_or_else(|e| panic!("{network}: {e}"));
        // The thread is not used again.
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).expect("it needs root");
                task()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Deref for Debian {
    type Target = Booted;

    fn deref(&self) -> &Booted {
        &self.booted
    }
}
