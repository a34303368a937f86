//! Programs of Debian packages, for tests that cannot do without them.

use std::env;
use std::path::{Path, PathBuf};

/// Where Debian has servers, which an ordinary user's `PATH` leaves out.
const SERVERS: &str = "/usr/sbin";

/// The path of a program.
///
/// # Panics
/// When it is not installed, with the package that has it.
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
