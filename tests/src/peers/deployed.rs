//! A file of `deploy/supervisor`, run by a real supervisord.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::supervisor::Supervisor;
use crate::scratch::{self, Scratch};

/// A running supervisord with one of the files, and the directory of the service. Dropping it ends all processes.
pub struct Deployed {
    /// supervisord.
    pub supervisor: Supervisor,
    home: Scratch,
}

impl Deployed {
    /// Runs the file with this binary. The variables are for supervisord's environment, in addition to `APP_HOME` and
    /// `APP_USER`.
    #[track_caller]
    pub fn start(file: &str, binary: &Path, more: &[(&str, &str)]) -> Self {
        let home = Scratch::new("deployed");
        for directory in ["bin", "log"] {
            scratch::make_dir(&home.join(directory));
        }
        symlink(binary, home.join("bin/app")).expect("the directory is new");
        let user = Command::new("id").arg("-un").output().expect("there is `id`").stdout;
        let user = String::from_utf8_lossy(&user).trim().to_owned();
        let path = home.path().display().to_string();
        let mut environment = vec![("APP_HOME", path.as_str()), ("APP_USER", user.as_str())];
        environment.extend(more);
        let conf = scratch::workspace().join("deploy/supervisor").join(file);
        Self { supervisor: Supervisor::start_file(home.path(), &conf, &environment), home }
    }

    /// A file in the directory of the service.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }
}
