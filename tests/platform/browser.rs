//! A real browser, with its own cache, which the service's responses control.

use serde_json::Value;
use system_tests::binaries;
use system_tests::peers::npm;
use system_tests::peers::program::program;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;

use crate::succeed;

const TWO_USERS: &str = include_str!("browser/two_users.mjs");

/// Entity tags differ between resources, and a response cached for one user is not served to another.
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
    let responses: Vec<Value> = serde_json::from_str(&succeed(script, &scratch)).expect("the script prints an array");

    let emails: Vec<&str> = responses.iter().filter_map(|response| response["email"].as_str()).collect();
    let (ada, bob) = ("ada@example.org", "bob@example.org");
    assert_eq!(emails, [ada, ada, bob, bob], "{responses:?}");
    assert_ne!(responses[0]["tag"], responses[2]["tag"], "two users with the same version have different tags");
}
