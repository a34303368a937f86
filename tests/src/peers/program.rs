//! Programs from Debian packages that tests require.

use std::env;
use std::path::{Path, PathBuf};

/// Debian's directory for servers, which is not in an ordinary user's `PATH`.
const SERVERS: &str = "/usr/sbin";

/// The path of a program.
///
/// # Panics
/// If it is not installed, with the name of its package.
#[track_caller]
pub fn program(name: &str, package: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).chain([Path::new(SERVERS).to_owned()]).map(|place| place.join(name));
    places.find(|place| place.is_file()).unwrap_or_else(|| panic!("{name} is needed: apt-get install {package}"))
}

#[cfg(test)]
mod tests {
    #[test]
    #[should_panic(expected = "no-such-program is needed: apt-get install its-package")]
    fn a_missing_program_fails_with_its_package() {
        super::program("no-such-program", "its-package");
    }
}
