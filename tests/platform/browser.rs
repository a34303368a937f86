//! What a real browser gets: with its own cache, which the service's answers steer.

use serde_json::Value;
use system_tests::binaries;
use system_tests::peers::npm;
use system_tests::peers::program::program;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;

use crate::succeed;

const TWO_USERS: &str = include_str!("browser/two_users.mjs");

/// The tag of a resource is no other's, and no copy that is one user's answers another.
#[test]
fn browser_caches_do_not_mix_users() {
    let chromium = program("chromium", "chromium");
    let app = Service::new(&binaries::app()).start();
    let scratch = Scratch::new("browser");
    scratch::write(&scratch.join("two_users.mjs"), TWO_USERS);
    npm::link_packages(scratch.path());
    let mut script = npm::node();
    script
        .arg("two_users.mjs")
        .arg(chromium)
        .arg(format!("http://127.0.0.1:{}", app.port))
        .arg(scratch.join("profile"));
    script.current_dir(scratch.path());
    let seen: Vec<Value> = serde_json::from_str(&succeed(script, &scratch)).expect("the script prints an array");

    let emails: Vec<&str> = seen.iter().filter_map(|answer| answer["email"].as_str()).collect();
    let (ada, bob) = ("ada@example.org", "bob@example.org");
    assert_eq!(emails, [ada, ada, bob, bob], "{seen:?}");
    assert_ne!(seen[0]["tag"], seen[2]["tag"], "two users of the same version have different tags");
}
