//! A real haproxy in front of two processes of the service, with the configuration of `deploy/haproxy`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::program::program;
use crate::process_guard::{self, ProcessGuard};
use crate::scratch::{self, Scratch};
use crate::{ports, wait};

const LIMIT: Duration = Duration::from_secs(60);

/// A running haproxy. Dropping it ends it.
pub struct Haproxy {
    // Before its working directory: fields are dropped in declaration order.
    _process: ProcessGuard,
    scratch: Scratch,
    /// The port of its clients.
    pub port: u16,
    stats_port: u16,
}

/// The ports of a process behind it.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// The port of its API.
    pub port: u16,
    /// The port of its management listener.
    pub management_port: u16,
}

/// Runs haproxy with a configuration, and waits until it listens on this port.
#[track_caller]
pub fn run(configuration: &Path, variables: &[(&str, String)], port: u16, log: &Path) -> ProcessGuard {
    let file = File::create(log).expect("a new directory is writable");
    let mut command = process_guard::command(program("haproxy", "haproxy"));
    command.arg("-db").arg("-f").arg(configuration);
    for (key, value) in variables {
        command.env(key, value);
    }
    command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);
    let mut process = ProcessGuard::spawn(command);
    wait::until("haproxy to listen", LIMIT, || {
        if let Some(status) = process.exited() {
            panic!("haproxy ended with {status}:\n{}", scratch::read(log));
        }
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    process
}

impl Haproxy {
    /// Starts it in front of the servers `a` and `b`, and waits until both are ready.
    #[track_caller]
    pub fn start([a, b]: [Server; 2]) -> Self {
        let (scratch, port, stats_port) = (Scratch::new("haproxy"), ports::free(), ports::free());
        let variables = [
            ("PORT", port.to_string()),
            ("A_PORT", a.port.to_string()),
            ("A_HEALTH_PORT", a.management_port.to_string()),
            ("B_PORT", b.port.to_string()),
            ("B_HEALTH_PORT", b.management_port.to_string()),
            ("STATS_SOCKET", format!("ipv4@127.0.0.1:{stats_port}")),
        ];
        let configuration = scratch::workspace().join("deploy/haproxy/haproxy.cfg");
        let process = run(&configuration, &variables, port, &scratch.join("log"));
        let haproxy = Self { _process: process, scratch, port, stats_port };
        ["a", "b"].iter().for_each(|server| haproxy.wait_up(server));
        haproxy
    }

    /// Waits until it sends requests to this server.
    #[track_caller]
    pub fn wait_up(&self, server: &str) {
        wait::until(&format!("server {server} to be up"), LIMIT, || {
            let status = self.statistics(server)["check_status"].clone();
            // Before its first check a server counts as up.
            (self.statistics(server)["status"] == "UP" && status.ends_with("L7OK")).then_some(())
        });
    }

    /// The statistics of a server, by haproxy's names.
    #[track_caller]
    pub fn statistics(&self, server: &str) -> BTreeMap<String, String> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.stats_port)).expect("haproxy is running");
        socket.write_all(b"show stat\n").expect("haproxy reads its socket");
        let mut csv = String::new();
        socket.read_to_string(&mut csv).expect("haproxy writes text");
        let mut lines = csv.lines().map(|line| line.trim_start_matches("# ").split(',').map(str::to_owned));
        let names: Vec<String> = lines.next().expect("a line of names").collect();
        let mut rows = lines.map(|values| names.iter().cloned().zip(values).collect::<BTreeMap<_, _>>());
        let is_it = |row: &BTreeMap<String, String>| {
            row.get("pxname").is_some_and(|name| name == "app") && row.get("svname").is_some_and(|name| name == server)
        };
        rows.find(is_it).unwrap_or_else(|| panic!("haproxy has no server {server}: {csv}"))
    }

    /// What it has written.
    pub fn log(&self) -> String {
        scratch::read(&self.scratch.join("log"))
    }
}
