//! The Debian package's life under a real systemd: installed, upgraded, removed, purged.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use system_tests::dist::dist;
use system_tests::http::{Client, Reply};
use system_tests::peers::debian::Debian;
use system_tests::peers::program::program;
use system_tests::scratch::{self, Scratch};
use system_tests::{process_guard, wait};

use crate::{LIMIT, succeed};

const PORT: u16 = 8080;
const MANAGEMENT_PORT: u16 = 8081;
const DEFAULTS: &str = "/etc/cyanotype/config/default.toml";
const ENVIRONMENT: &str = "/etc/cyanotype/environment";
const INSTALL: &str = "dpkg --force-confdef --force-confold --install";
const PASSWORD: &str = "correct horse battery";

#[track_caller]
fn run(program_name: &str, package: &str, arguments: &[&Path]) -> String {
    let mut command = process_guard::command(program(program_name, package));
    command.args(arguments);
    succeed(command, &Scratch::new("package-tool"))
}

/// The package with a higher version, and with another line at the end of the settings and of the environment.
fn next_version(directory: &Scratch) -> PathBuf {
    let (tree, next) = (directory.join("tree"), directory.join("next.deb"));
    run("dpkg-deb", "dpkg", &[Path::new("--raw-extract"), &dist().package(), &tree]);
    let control = tree.join("DEBIAN/control");
    let text = scratch::read(&control);
    let version = text.lines().find(|line| line.starts_with("Version: ")).expect("a package has a version");
    scratch::write(&control, text.replace(version, &format!("{version}.1")));
    for file in [DEFAULTS, ENVIRONMENT] {
        let file = tree.join(file.trim_start_matches('/'));
        scratch::write(&file, scratch::read(&file) + "# New in this version.\n");
    }
    run("dpkg-deb", "dpkg", &[Path::new("-Zgzip"), Path::new("-z1"), Path::new("--build"), &tree, &next]);
    next
}

#[track_caller]
fn wait_ready(debian: &Debian) {
    debian.in_network(|| {
        let ready = Client::new(MANAGEMENT_PORT).get("/health/ready");
        wait::until("the service to be ready", LIMIT, || {
            ready.clone().try_send().ok().filter(|reply| reply.status == 200).map(drop)
        });
    });
}

#[track_caller]
fn post(debian: &Debian, path: &str, body: &Value) -> Reply {
    debian.in_network(|| Client::new(PORT).post(path).json(body).send())
}

fn mode(debian: &Debian, path: &str) -> String {
    debian.sh(&format!("stat -c '%a %U:%G' {path}")).trim().to_owned()
}

#[test]
fn the_package_is_installed_upgraded_removed_and_purged() {
    let debian = Debian::boot();
    let scratch = Scratch::new("package");
    let package = debian.receive(&dist().package());

    // A first installation enables the service, and says what it needs before its first start, as a user of its own.
    let installed = debian.sh(&format!("{INSTALL} {package}"));
    assert!(installed.contains("write Sentry's DSN to /etc/cyanotype/credentials/sentry_dsn"), "{installed}");
    assert_eq!(debian.property("cyanotype.service", "ActiveState"), "inactive");
    debian.sh("printf http://key@127.0.0.1:9/1 > /etc/cyanotype/credentials/sentry_dsn && systemctl start cyanotype");
    wait_ready(&debian);
    let process = debian.property("cyanotype.service", "MainPID");
    assert_eq!(debian.sh(&format!("stat -c %U /proc/{process}")).trim(), "cyanotype");
    assert_eq!(debian.sh("systemctl is-enabled cyanotype.service cyanotype.socket"), "enabled\nenabled\n");
    assert_eq!(mode(&debian, "/etc/cyanotype/credentials"), "700 root:root");
    assert_eq!(mode(&debian, "/var/lib/cyanotype"), "750 cyanotype:cyanotype");
    assert_eq!(mode(&debian, ENVIRONMENT), "640 root:root");
    let conffiles = debian.sh("dpkg-query --show --showformat '${Conffiles}' cyanotype-app");
    for file in [DEFAULTS, "/etc/cyanotype/config/prod.toml", ENVIRONMENT] {
        assert!(conffiles.contains(file), "{file} is no conffile: {conffiles}");
    }
    assert_eq!(debian.sh("cd /etc/cyanotype && app config --check").trim(), "configuration OK");
    let user = json!({"email": "ada@example.com", "name": "Ada", "password": PASSWORD});
    assert_eq!(post(&debian, "/users", &user).status, 201);

    // An upgrade restarts the service, not the socket, and retains what the administrator changed.
    debian.sh(&format!("echo 'APP__LOG__LEVEL=warning' >> {ENVIRONMENT}"));
    let socket = socket_start(&debian);
    let next = debian.receive(&next_version(&scratch));
    debian.sh(&format!("{INSTALL} {next}"));
    wait_ready(&debian);
    assert_ne!(debian.property("cyanotype.service", "MainPID"), process, "the service was not restarted");
    assert_eq!(socket_start(&debian), socket, "the socket was closed");
    assert!(debian.sh(&format!("cat {ENVIRONMENT}")).ends_with("APP__LOG__LEVEL=warning\n"));
    assert!(debian.sh(&format!("cat {ENVIRONMENT}.dpkg-dist")).ends_with("# New in this version.\n"));
    assert!(debian.sh(&format!("cat {DEFAULTS}")).ends_with("# New in this version.\n"), "it was not changed");
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    assert_eq!(post(&debian, "/users/login", &login).status, 200, "the user is lost");

    // Without the package, settings and data remain.
    debian.sh("dpkg --remove cyanotype-app");
    assert_eq!(debian.property("cyanotype.service", "ActiveState"), "inactive");
    assert_eq!(debian.property("cyanotype.socket", "ActiveState"), "inactive");
    assert_eq!(debian.sh("ls /etc/cyanotype /var/lib/cyanotype | grep -c -e environment -e app.db$").trim(), "3");
    assert!(!debian.path("/usr/bin/app").exists());

    // Installed again, it starts again with them.
    debian.sh(&format!("{INSTALL} {next}"));
    wait_ready(&debian);
    assert_eq!(post(&debian, "/users/login", &login).status, 200, "the user is lost");

    // A service that was stopped is not started by an upgrade.
    debian.sh("systemctl stop cyanotype.socket cyanotype.service");
    debian.sh(&format!("{INSTALL} {next}"));
    assert_eq!(debian.property("cyanotype.service", "ActiveState"), "inactive");

    // Nothing but the user and the database remains.
    debian.sh("dpkg --remove cyanotype-app");
    let purged = debian.sh("dpkg --purge cyanotype-app");
    assert!(purged.contains("the databases remain in /var/lib/cyanotype"), "{purged}");
    let remaining = debian.sh("find /etc /usr /var /lib/systemd -name '*cyanotype*' -not -path '/var/log/*'");
    assert_eq!(remaining, "/var/lib/cyanotype\n", "files remain after the purge");
    let others = debian.sh("find /var/lib/cyanotype -mindepth 1 -not -name 'app.db*'");
    assert_eq!(others, "", "not only the database remains");
    assert_eq!(debian.output("dpkg --status cyanotype-app").status.code(), Some(1));
}

/// When the socket was opened last.
fn socket_start(debian: &Debian) -> String {
    debian.property("cyanotype.socket", "ActiveEnterTimestampMonotonic")
}

#[test]
fn lintian_accepts_the_package() {
    // lintian leaves files in the directory for temporary ones.
    let scratch = Scratch::new("lintian");
    let mut command = Command::new(program("lintian", "lintian"));
    command.env("TMPDIR", scratch.path());
    command.args(["--show-overrides", "--tag-display-limit", "0"]);
    let output = command.arg(dist().package()).output().expect("lintian was found");
    let shown = String::from_utf8_lossy(&output.stdout);
    let found: Vec<&str> = shown.lines().filter(|line| line.starts_with("E: ") || line.starts_with("W: ")).collect();
    assert_eq!(found, <[&str; 0]>::default());
    // It has read the package: what deploy/debian/lintian-overrides permits was found.
    assert!(shown.contains("O: cyanotype-app: non-standard-file-perm"), "{shown}");
}
