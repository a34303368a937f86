//! Reloading, changes between loads, and fingerprints.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use cyanotype_settings::{Change, Hidden, Loaded, Loader, section};
use serde_json::{Value, json};
use test_harness::scratch::{Scratch, make_dir, write};

section! {
    struct Root {
        /// environment
        #[setting(OneOf(&["dev", "prod"]), default = "prod")]
        env: String,
        /// level
        #[setting(Text, default = "info")]
        level: String,
        /// port
        #[setting(Integer(0, 65535), default = 80)]
        port: u16,
        /// hosts
        #[serde(default)]
        #[setting(List)]
        hosts: Vec<String>,
        /// destination of reports
        #[setting(Secret)]
        dsn: Option<String>,
    }
    defer "blueprints.<name>.<key>";
}

/// A directory of settings, with `dsn_file` in `default.toml`.
struct Directory(Scratch);

impl Directory {
    fn new(name: &str) -> Self {
        let this = Self(Scratch::new(name));
        this.default("");
        this.secret("hunter2");
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn default(&self, text: &str) {
        write(&self.path("default.toml"), format!("dsn_file = {:?}\n{text}", self.path("dsn")));
    }

    fn secret(&self, text: &str) {
        write(&self.path("dsn"), text);
    }

    fn loader(&self) -> Loader<Root> {
        Loader::new(self.0.path())
    }
}

fn change(key: &str, before: impl Into<Option<Value>>, after: impl Into<Option<Value>>) -> Change {
    Change { key: key.to_owned(), before: before.into(), after: after.into() }
}

fn hidden(key: &str, by: &str) -> Hidden {
    Hidden { key: key.to_owned(), by: by.to_owned() }
}

#[test]
fn a_reload_reads_files_again_with_the_same_environment_and_flags() {
    let directory = Directory::new("reload-again");
    let before = directory.loader().variables([("APP__LEVEL", "debug")]).flag("env", "dev", "--env").load();
    let before: Loaded<Root> = before.expect("settings are valid");
    directory.default("port = 1\nlevel = 'error'");
    write(&directory.path("dev.toml"), "hosts = ['a', 'b']");
    let after = before.reload().expect("settings are valid");
    assert_eq!((after.port, after.level.as_str(), after.hosts.len(), after.env.as_str()), (1, "debug", 2, "dev"));
    let changes = before.changes_to(&after);
    assert_eq!(changes.changed, [change("hosts", None, json!(["a", "b"])), change("port", json!(80), json!(1))]);
    assert_eq!(changes.hidden, [hidden("level", "APP__LEVEL")]);
    let back = after.changes_to(&before).changed;
    assert_eq!(back, [change("hosts", json!(["a", "b"]), None), change("port", json!(1), json!(80))]);
}

#[test]
fn an_equal_value_in_other_notation_is_not_a_change() {
    let directory = Directory::new("reload-equal");
    directory.default("port = 80\nhosts = 'a,b'");
    let before = directory.loader().load().expect("settings are valid");
    directory.default("port = '80' # as by default\nhosts = ['a', 'b']");
    let changes = before.changes_to(&before.reload().expect("settings are valid"));
    assert_eq!((changes.changed, changes.hidden), (vec![], vec![]));
}

#[test]
fn a_changed_secret_is_reported_by_key_only() {
    let directory = Directory::new("reload-secret");
    let before = directory.loader().load().expect("settings are valid");
    directory.secret("hunter3");
    let after = before.reload().expect("settings are valid");
    assert_eq!(after.dsn.as_deref(), Some("hunter3"));
    let changes = before.changes_to(&after);
    assert_eq!(changes.changed, [change("dsn", None, None)]);
    let loader = directory.loader().variables([("APP__DSN", "hunter2")]);
    for shown in [format!("{changes:?}"), format!("{loader:?}"), format!("{:?}", after.fingerprint())] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
}

#[test]
fn a_hidden_secret_in_a_file_is_reported() {
    let directory = Directory::new("reload-hidden");
    let before = directory.loader().flag("dsn", "hunter2", "--set").load().expect("settings are valid");
    write(&directory.path("default.toml"), "dsn = 'hunter3'");
    let changes = before.changes_to(&before.reload().expect("settings are valid"));
    assert_eq!((changes.changed, changes.hidden), (vec![], vec![hidden("dsn", "--set")]));

    // Hidden by a value that has changed itself.
    let file = directory.path("dsn").display().to_string();
    let before = directory.loader().flag("dsn_file", &file, "--set").load().expect("settings are valid");
    write(&directory.path("default.toml"), "dsn = 'hunter4'");
    directory.secret("hunter5");
    let changes = before.changes_to(&before.reload().expect("settings are valid"));
    assert_eq!((changes.changed, changes.hidden), (vec![change("dsn", None, None)], vec![]));
}

#[test]
fn deferred_sections_are_compared_by_their_layer_values() {
    let directory = Directory::new("reload-deferred");
    let token = directory.path("token");
    write(&token, "hunter2");
    let text =
        |low| format!("[blueprints.stock]\nlow = {low}\nhigh = {low}\ntoken_file = {token:?}\nurl_file = '/{low}'");
    directory.default(&text(1));
    let set = [("APP__BLUEPRINTS__STOCK__HIGH", "5"), ("APP__BLUEPRINTS__STOCK__URL", "http://hunter2@a")];
    let before = directory.loader().variables(set).load().expect("settings are valid");
    directory.default(&text(2));
    write(&token, "hunter3");
    let changes = before.changes_to(&before.reload().expect("settings are valid"));
    assert_eq!(
        changes.changed,
        [change("blueprints.stock.low", None, None), change("blueprints.stock.token_file", None, None)]
    );
    assert_eq!(
        changes.hidden,
        [
            hidden("blueprints.stock.high", "APP__BLUEPRINTS__STOCK__HIGH"),
            hidden("blueprints.stock.url", "APP__BLUEPRINTS__STOCK__URL")
        ]
    );
}

#[test]
fn an_invalid_file_is_reported_and_changes_nothing() {
    let directory = Directory::new("reload-bad");
    let before = directory.loader().load().expect("settings are valid");
    let path = directory.path("default.toml").display().to_string();
    for (text, key, reason) in [
        ("port = hunter2", None, "line 2, column 8: string values must be quoted, expected literal string"),
        ("port = 99999", Some("port"), "`99999` is not allowed; expected a whole number from 0 to 65535"),
        ("ports = 1", Some("ports"), "unknown setting; did you mean port?"),
    ] {
        directory.default(text);
        let error = before.reload().map(|_| ()).expect_err("settings are invalid");
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!((problem.file(), problem.key(), problem.reason().as_str()), (Some(&*path), key, reason));
    }
    assert_eq!(before.port, 80);
    // An invalid environment variable has no file.
    directory.default("");
    let error =
        directory.loader().variables([("APP__PORTS", "1")]).load().map(|_| ()).expect_err("settings are invalid");
    assert_eq!((error.problems()[0].file(), error.problems()[0].set_by()), (None, Some("APP__PORTS")));
}

#[test]
fn a_fingerprint_covers_file_contents_through_links() {
    let directory = Directory::new("fingerprint");
    let (first, second) = (directory.path("first"), directory.path("second"));
    for (of, content) in [(&first, "hunter2"), (&second, "hunter2")] {
        make_dir(of);
        write(&of.join("dsn"), content);
    }
    let link = directory.path("dsn");
    let point_to = |target: &PathBuf| {
        fs::remove_file(&link).expect("it is there");
        symlink(target.join("dsn"), &link).expect("a link is made");
    };
    point_to(&first);
    let settings = directory.loader().load().expect("settings are valid");
    let loaded = settings.fingerprint();
    assert_eq!((directory.loader().fingerprint(), settings.current_fingerprint()), (loaded, loaded));

    point_to(&second);
    assert_eq!(settings.current_fingerprint(), loaded, "the content is equal");
    write(&second.join("dsn"), "hunter3");
    let other = settings.current_fingerprint();
    assert_ne!(other, loaded);
    fs::remove_file(second.join("dsn")).expect("it is there");
    let missing = settings.current_fingerprint();
    assert!(missing != loaded && missing != other);
    point_to(&first);
    assert_eq!(settings.current_fingerprint(), loaded);

    write(&directory.path("prod.toml"), "");
    let with_env_file = settings.current_fingerprint();
    assert_ne!(with_env_file, loaded, "an empty file is not a missing one");
    directory.default("port = [");
    let bad = settings.current_fingerprint();
    assert!(bad != loaded && bad != with_env_file);
    directory.default("");
    assert_eq!(settings.current_fingerprint(), with_env_file);
    // The file of another environment is not read.
    write(&directory.path("dev.toml"), "port = 1");
    assert_eq!(settings.current_fingerprint(), with_env_file);
}

#[test]
fn the_fingerprint_includes_secret_files_of_deferred_sections() {
    let directory = Directory::new("fingerprint-deferred");
    let token = directory.path("token");
    write(&token, "hunter2");
    directory.default(&format!("[blueprints.stock]\ntoken_file = {token:?}"));
    let settings = directory.loader().load().expect("settings are valid");
    write(&token, "hunter3");
    assert_ne!(settings.current_fingerprint(), settings.fingerprint());
}
