//! Values of secret settings from files.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use cyanotype_settings::{Deferred, Loaded, Loader, Schema, Section, SettingsError, SettingsProblem, section};
use test_harness::scratch::{Scratch, write};

section! {
    struct Sentry {
        /// destination of reports
        #[setting(Secret, env = "SENTRY_DSN", check = has_key)]
        dsn: Option<String>,
        /// release
        #[setting(Text)]
        release: Option<String>,
    }
}

section! {
    struct Root {
        #[setting(section)]
        sentry: Sentry,
        /// database
        #[setting(Url, default = "sqlite://a.db")]
        database: String,
        /// tokens of peers
        #[setting(each "<peer>", Secret)]
        tokens: BTreeMap<String, String>,
        /// an ordinary setting whose name ends in `_file`
        #[setting(Text)]
        key_file: Option<String>,
    }
    defer "blueprints.<name>.<key>";
}

section! {
    struct Orders {
        /// address of the users service
        #[setting(Url)]
        users_url: Option<String>,
    }
}

fn has_key(dsn: &str) -> Result<(), String> {
    if dsn.contains('@') { Ok(()) } else { Err("this DSN has no key".into()) }
}

fn load(scratch: &Scratch, set: &[(&str, &str)]) -> Result<Loaded<Root>, SettingsError> {
    Loader::new(scratch.path()).variables(set.iter().copied()).load()
}

#[track_caller]
fn rejected(scratch: &Scratch, set: &[(&str, &str)]) -> SettingsError {
    load(scratch, set).map(|_| ()).expect_err("settings are invalid")
}

fn file(scratch: &Scratch, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = scratch.join(name);
    write(&path, content);
    path.display().to_string()
}

#[test]
fn the_file_content_is_the_value_and_is_masked() {
    let scratch = Scratch::new("twin-value");
    let dsn = file(&scratch, "dsn", " https://hunter2@sentry.example/7\r\n");
    for variable in ["SENTRY_DSN_FILE", "APP__SENTRY__DSN_FILE"] {
        let settings = load(&scratch, &[(variable, &dsn)]).expect("settings are valid");
        assert_eq!(settings.sentry.dsn.as_deref(), Some("https://hunter2@sentry.example/7"));
        let origin = settings.origins.iter().find(|origin| origin.key == "sentry.dsn").expect("it is set");
        assert_eq!(origin.value, "https://[redacted]@sentry.example/7");
        assert_eq!(origin.set_by, format!("{variable} ({dsn})"));
        assert_eq!(settings.warnings, [""; 0]);
    }
    let flagged = Loader::<Root>::new(scratch.path()).flag("sentry.dsn_file", &dsn, "--set").load();
    assert!(flagged.expect("settings are valid").sentry.dsn.is_some());
    file(&scratch, "default.toml", format!("database_file = {dsn:?}\ntokens.users_file = {dsn:?}"));
    let settings = load(&scratch, &[]).expect("settings are valid");
    assert!(settings.database.starts_with("https://hunter2@"));
    assert!(settings.tokens["users"].starts_with("https://hunter2@"));
}

#[test]
fn the_higher_layer_wins_and_the_lower_file_is_not_read() {
    let scratch = Scratch::new("twin-layers");
    let dsn = file(&scratch, "dsn", "https://file@h/1");
    let value = "https://value@h/1";
    file(&scratch, "default.toml", "sentry.dsn_file = '/no/such/file'");
    for (set, expected) in [
        ([("SENTRY_DSN", value), ("APP__SENTRY__DSN", "")], value),
        ([("SENTRY_DSN", value), ("APP__SENTRY__DSN_FILE", &dsn)], "https://file@h/1"),
        ([("SENTRY_DSN_FILE", &dsn), ("APP__SENTRY__DSN", value)], value),
        ([("SENTRY_DSN_FILE", &dsn), ("SENTRY_DSN", " ")], "https://file@h/1"),
    ] {
        let settings = load(&scratch, &set).expect("settings are valid");
        assert_eq!(settings.sentry.dsn.as_deref(), Some(expected), "{set:?}");
    }
}

#[test]
fn a_value_and_its_file_in_one_layer_are_rejected() {
    let scratch = Scratch::new("twin-both");
    let rejected = |set: &[(&str, &str)]| rejected(&scratch, set);
    assert_eq!(
        rejected(&[("SENTRY_DSN", "https://k@h/1"), ("SENTRY_DSN_FILE", "/x")]).to_string(),
        "sentry.dsn (set by SENTRY_DSN) and sentry.dsn_file (set by SENTRY_DSN_FILE) are both set: remove one of them"
    );
    // Also if a higher layer takes precedence.
    let default = file(&scratch, "default.toml", "[sentry]\ndsn_file = '/x'\ndsn = 'https://k@h/1'");
    let error = rejected(&[("SENTRY_DSN", "https://k@h/1")]);
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!((problem.key(), problem.file()), (Some("sentry.dsn"), Some(&*default)));
    assert_eq!(problem.reason(), format!("is set by {default}, and sentry.dsn_file by {default}: remove one of them"));
}

#[test]
fn an_unusable_file_is_reported_without_its_content() {
    let scratch = Scratch::new("twin-bad");
    let missing = scratch.join("missing").display().to_string();
    let largest = format!("{}@{}", "k".repeat(60_000), " ".repeat(5_535));
    assert!(load(&scratch, &[("SENTRY_DSN_FILE", &file(&scratch, "largest", &largest))]).is_ok());
    for (path, expected) in [
        (missing, "the file cannot be read: No such file or directory (os error 2)"),
        (scratch.path().display().to_string(), "the file cannot be read: not a regular file"),
        (file(&scratch, "large", largest + " "), "the file cannot be read: larger than 65536 bytes"),
        (file(&scratch, "empty", " \n"), "the file is empty"),
        (file(&scratch, "latin-1", b"hunter2@\xe4"), "the file is not UTF-8"),
        (file(&scratch, "wrong", "hunter2"), "this DSN has no key"),
    ] {
        let error = rejected(&scratch, &[("APP__SENTRY__DSN_FILE", &path)]);
        assert_eq!(error.to_string(), format!("sentry.dsn (set by APP__SENTRY__DSN_FILE ({path})): {expected}"));
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(
            (problem.key(), problem.file(), problem.reason().as_str()),
            (Some("sentry.dsn"), Some(&*path), expected)
        );
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let mistaken = rejected(&scratch, &[("SENTRY_DSN_FILE", "https://hunter2@sentry.example/7")]).to_string();
    assert!(mistaken.starts_with("sentry.dsn (set by SENTRY_DSN_FILE (https://[redacted]@"), "{mistaken}");
    file(&scratch, "default.toml", "sentry.dsn_file = 5");
    assert!(rejected(&scratch, &[]).to_string().contains("a file name must be a string; write it in quotes"));
}

#[test]
fn only_secret_settings_have_a_file() {
    let scratch = Scratch::new("twin-none");
    let error = rejected(&scratch, &[("APP__SENTRY__RELEASE_FILE", "/x")]);
    assert!(matches!(error.problems(), [SettingsProblem::UnknownKey { .. }]), "{error}");
    let settings = load(&scratch, &[("APP__KEY_FILE", "/no/such/file")]).expect("it is a text");
    assert_eq!(settings.key_file.as_deref(), Some("/no/such/file"));
}

#[test]
fn suggestions_include_the_file_settings() {
    let scratch = Scratch::new("twin-hints");
    assert_eq!(
        rejected(&scratch, &[("APP__SENTRY__DNS_FILE", "/x")]).to_string(),
        "sentry.dns_file (set by APP__SENTRY__DNS_FILE): unknown setting; did you mean sentry.dsn_file?"
    );
    let schema = Schema::of::<Root>();
    let meant = |name: &str| schema.near_miss(name, "/x");
    assert_eq!(meant("SENTRY_DNS_FILE").as_deref(), Some("SENTRY_DSN_FILE"));
    assert_eq!(meant("APP_SENTRY_DSN_FILE").as_deref(), Some("APP__SENTRY__DSN_FILE"));
    assert_eq!(meant("SENTRY_DSN_FILE"), None);
    assert_eq!(meant("SENTRY_RELEASE_FILE"), None);
}

#[test]
fn a_deferred_section_can_use_files() {
    let scratch = Scratch::new("twin-deferred");
    let url = file(&scratch, "url", "http://ada:hunter2@users.example\n");
    let read = |deferred: &Deferred| deferred.read("blueprints.dry_orders", Orders::declare);
    let settings =
        load(&scratch, &[("APP__BLUEPRINTS__DRY_ORDERS__USERS_URL_FILE", &url)]).expect("settings are valid");
    let section = read(&settings.deferred);
    assert_eq!(section.values["users_url"], "http://ada:hunter2@users.example");
    assert_eq!(section.origins[0].value, "http://[redacted]@users.example");
    assert_eq!((section.origins[0].key.as_str(), section.problems), ("blueprints.dry_orders.users_url", vec![]));

    symlink("/no/such/file", scratch.join("dangling")).expect("a link is made");
    let dangling = scratch.join("dangling").display().to_string();
    let settings = load(&scratch, &[("APP__BLUEPRINTS__DRY_ORDERS__USERS_URL_FILE", &dangling)]).expect("not yet read");
    let problems = read(&settings.deferred).problems;
    assert_eq!(problems[0].file(), Some(&*dangling));
}
