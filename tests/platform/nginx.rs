//! The service behind a stock nginx, which forwards its clients' own address headers.

use std::collections::BTreeSet;
use std::fs::File;
use std::time::Duration;

use serde_json::Value;
use system_tests::http::Client;
use system_tests::peers::program::program;
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Service};
use system_tests::{binaries, ports, wait};

const CONFIGURATION: &str = include_str!("nginx/nginx.conf");
const START_LIMIT: Duration = Duration::from_secs(30);
/// The number of requests that a client may send.
const LIMIT: usize = 5;

/// A proxy in front of a service. Dropping it ends it.
struct Nginx {
    // Before its working directory: fields are dropped in declaration order.
    _server: ProcessGuard,
    _scratch: Scratch,
    port: u16,
}

impl Nginx {
    #[track_caller]
    fn start(service: &Running) -> Self {
        let nginx = program("nginx", "nginx");
        let (scratch, port) = (Scratch::new("nginx"), ports::free());
        let directory = scratch.path().to_str().expect("the target directory's path must be UTF-8");
        let configuration = CONFIGURATION.replace("{port}", &port.to_string()).replace("{directory}", directory);
        let file = scratch.join("nginx.conf");
        scratch::write(&file, configuration.replace("{service}", &service.port.to_string()));

        let log = scratch.join("log");
        let output = || File::options().create(true).append(true).open(&log).expect("a new directory is writable");
        let mut command = process_guard::command(nginx);
        command.arg("-p").arg(scratch.path()).args(["-e", "stderr"]).arg("-c").arg(&file);
        command.stdout(output()).stderr(output());
        let mut server = ProcessGuard::spawn(command);
        wait::until("nginx to listen", START_LIMIT, || {
            if let Some(status) = server.exited() {
                panic!("nginx ended with {status}:\n{}", scratch::read(&log));
            }
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { _server: server, _scratch: scratch, port }
    }
}

/// Sends more requests than the limit allows, each with a different forged address; returns their statuses and the logged
/// client addresses.
fn send_forged(header: &str, forge: impl Fn(usize) -> String) -> (Vec<u16>, BTreeSet<String>) {
    let service = Service::new(&binaries::app())
        .env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.2")
        .env("APP__SERVER__RATE_LIMIT__REQUESTS", LIMIT.to_string())
        .env("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600")
        .start();
    let proxy = Nginx::start(&service);
    let client = Client::new(proxy.port);
    let send = |n| client.get("/orders").header(header, forge(n)).send().status;
    let statuses = (1..=2 * LIMIT).map(send).collect();
    let records = service.stop().records().into_iter().filter(|record| record["kind"] == "response");
    let addresses = records.map(|record| match &record["client.address"] {
        Value::String(address) => address.clone(),
        other => panic!("the record has the address {other}"),
    });
    (statuses, addresses.collect())
}

/// The service must count and log the proxy's real client, 127.0.0.1.
#[track_caller]
fn assert_ignored(header: &str, forge: impl Fn(usize) -> String) {
    let (statuses, addresses) = send_forged(header, forge);
    let expected = [vec![401; LIMIT], vec![429; LIMIT]].concat();
    assert_eq!(statuses, expected, "`{header}` must not bypass the rate limit");
    assert_eq!(addresses, BTreeSet::from(["127.0.0.1".to_owned()]), "`{header}` must not forge the client's address");
}

#[test]
fn a_forwarded_header_from_the_client_is_ignored() {
    assert_ignored("forwarded", |n| format!("for=203.0.113.{n}"));
}

#[test]
fn an_x_forwarded_for_from_the_client_is_ignored() {
    assert_ignored("x-forwarded-for", |n| format!("203.0.113.{n}"));
}

#[test]
fn an_x_real_ip_from_the_client_is_ignored() {
    assert_ignored("x-real-ip", |n| format!("203.0.113.{n}"));
}
