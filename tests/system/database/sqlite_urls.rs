//! Each form of SQLite URL that sqlx documents either works, with its file in the start record, or is rejected at startup.

use std::thread;

use system_tests::binaries;
use system_tests::scratch::Scratch;
use system_tests::service::Service;

use crate::api::{login, member, register};

/// Starts the app with this URL, and reads written data in concurrent requests; returns the file in the start record.
#[track_caller]
fn database_file(scratch: &Scratch, url: &str) -> Option<String> {
    let app = Service::new(&binaries::app()).dir(scratch.path()).env("APP__DATABASE__URL", url).start();
    let ada = member(&app, "ada");
    thread::scope(|scope| {
        for n in 0..8 {
            let (app, ada) = (&app, &ada);
            scope.spawn(move || {
                register(app, &format!("user-{n}"));
                assert_eq!(login(app, "ada@example.org", crate::api::PASSWORD).status, 200, "{url}");
                assert_eq!(app.get("/users/me").bearer(&ada.token).send().status, 200, "{url}");
            });
        }
    });
    let start = app.records().remove(0);
    app.stop();
    start["database_file"].as_str().map(str::to_owned)
}

#[test]
fn every_file_url_form_opens_that_file() {
    for (form, file) in [
        ("sqlite:a.db", "a.db"),
        ("sqlite://b.db", "b.db"),
        ("sqlite://c.db?mode=rwc", "c.db"),
        ("sqlite:file:d.db", "d.db"),
        ("sqlite://sub/e%20e.db", "sub/e e.db"),
        ("sqlite://{}/f.db", "f.db"),
        ("sqlite:{}/g.db?mode=rwc&cache=private", "g.db"),
        ("sqlite:file://{}/h.db", "h.db"),
    ] {
        let scratch = Scratch::new("urls");
        let url = form.replace("{}", &scratch.path().display().to_string());
        let path = scratch.join(file);
        assert_eq!(database_file(&scratch, &url).as_deref(), path.to_str(), "{url}");
        assert!(path.exists(), "{url} created {}", path.display());
    }
}

#[test]
fn an_in_memory_database_is_shared_by_all_connections() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:any?mode=memory&cache=shared"] {
        assert_eq!(database_file(&Scratch::new("urls"), url), None, "{url}");
    }
}

#[test]
fn mode_rw_does_not_create_the_file() {
    let scratch = Scratch::new("urls");
    let app = || Service::new(&binaries::app()).dir(scratch.path()).env("APP__DATABASE__URL", "sqlite://x.db?mode=rw");
    assert_eq!(app().run().code(), Some(69));
    assert!(!scratch.join("x.db").exists());
    system_tests::scratch::write(&scratch.join("x.db"), "");
    app().start().stop();
}

#[test]
fn unsupported_urls_are_rejected_with_a_reason() {
    for (url, reason) in [
        ("sqlite:", "names no file"),
        ("sqlite://", "names no file"),
        ("sqlite://x.db?cache=shared", "cache=shared"),
        ("sqlite://x.db?mode=rwcx", "unknown value: mode=rwcx"),
        ("sqlite://x.db?pragma=1", "unknown parameter pragma"),
    ] {
        let stopped = Service::new(&binaries::app()).env("APP__DATABASE__URL", url).run();
        assert_eq!(stopped.code(), Some(78), "{url}");
        assert!(
            stopped.stderr.contains("database.url") && stopped.stderr.contains(reason),
            "{url}: {}",
            stopped.stderr
        );
    }
}
