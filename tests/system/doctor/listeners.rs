//! Ports, the socket, and who can reach the management listener.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use system_tests::scratch;

use super::Setup;

#[test]
fn a_port_of_another_process_is_a_failure_that_names_it() {
    let setup = Setup::new();
    let hold = |name: &str| {
        let port: u16 = setup.get(name).parse().expect("a port");
        TcpListener::bind(("127.0.0.1", port)).expect("the port is free")
    };
    let own = format!("(pid {})", std::process::id());
    let _api = hold("APP__SERVER__PORT");
    setup.doctor().has("api-port", "FAIL", &["is held by ", &own]).has("management-port", "OK", &["is free"]);
    let _management = hold("APP__MANAGEMENT__PORT");
    let report = setup.doctor();
    report.has("management-port", "FAIL", &["is held by ", &own]).has("process", "OK", &["the service does not run"]);
    assert!(report.json["checks"].to_string().contains("set management.host and management.port"));
}

#[test]
fn an_address_of_another_machine_cannot_be_used() {
    // A network that is reserved for documentation.
    let setup = Setup::new().env("APP__SERVER__HOST", "192.0.2.1");
    setup.doctor().has("api-port", "FAIL", &["192.0.2.1:"]);
    Setup::new().env("APP__SERVER__PORT", "0").doctor().has("api-port", "OK", &["any free port"]);
}

#[test]
fn an_ipv6_address_may_have_brackets() {
    let setup = Setup::new().env("APP__SERVER__HOST", "[::1]");
    let address = format!("[::1]:{}", setup.get("APP__SERVER__PORT"));
    setup.doctor().has("api-port", "OK", &[&address, "is free"]);
    let service = setup.start();
    let started = service.wait_record("the start", |record| record["address"].is_string());
    assert_eq!(started["address"], address);
    setup.doctor().has("api-port", "OK", &[&address, "is held by the running service"]);
    let taken = setup.service().env("APP__MANAGEMENT__PORT", system_tests::ports::free().to_string()).run();
    assert_eq!(taken.code(), Some(69));
    assert!(taken.stderr.contains(&format!("cannot listen on {address}: ")), "{}", taken.stderr);
}

#[test]
fn a_service_that_listens_elsewhere_is_a_failure() {
    let setup = Setup::new();
    let _service = setup.start();
    let other = system_tests::ports::free().to_string();
    let setup = setup.env("APP__SERVER__PORT", other);
    setup.doctor().has("api-port", "FAIL", &["nothing listens"]).has("settings", "WARN", &["APP__SERVER__PORT"]);
}

#[test]
fn the_socket_leads_to_the_service_and_is_private() {
    let setup = Setup::new();
    let path = setup.scratch().join("management.sock");
    let setup = setup.env("APP__MANAGEMENT__SOCKET", &path);
    setup.doctor().has("management-socket", "OK", &["is free"]);
    let service = setup.start();
    // Only the socket leads to it.
    let elsewhere = setup.env("APP__MANAGEMENT__PORT", system_tests::ports::free().to_string());
    let report = elsewhere.doctor();
    report.has("management-socket", "OK", &["only for its owner"]).has("management-port", "FAIL", &["nothing listens"]);
    assert_eq!(report.json["pid"], service.pid);
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("the test owns the socket");
    elsewhere.doctor().has("management-socket", "FAIL", &["has the mode 0666"]);
    service.stop();
    let _other = UnixListener::bind(&path).expect("the path is free");
    elsewhere.doctor().has("management-socket", "FAIL", &["another process is listening"]);
    fs::remove_file(&path).expect("the test owns the socket");
    scratch::write(&path, "a file");
    elsewhere.doctor().has("management-socket", "FAIL", &["not a socket"]);
}

#[test]
fn other_machines_need_a_token() {
    let setup = || Setup::new().env("APP__MANAGEMENT__HOST", "0.0.0.0");
    setup().doctor().has("management", "WARN", &["without a token"]);
    let short = setup().env("APP__MANAGEMENT__TOKEN", "hunter2hunter2").doctor();
    short.has("management", "WARN", &["a token of 14 characters"]);
    assert!(!short.json.to_string().contains("hunter2"));
    let long = "0123456789abcdef0123456789abcdef";
    setup().env("APP__MANAGEMENT__TOKEN", long).doctor().has(
        "management",
        "OK",
        &["from other machines, with a token"],
    );
    let name = Setup::new().env("APP__MANAGEMENT__HOST", "no-such-host.invalid").doctor();
    name.has("management", "FAIL", &["has no address"]);
}
