//! Sockets that a service manager opens for the service.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use system_tests::{binaries, scratch};

use super::Setup;

/// A script that hands the app the socket on its stderr, as systemd does. Its records go to a file.
fn activated(setup: &Setup) -> PathBuf {
    let script = setup.scratch().join("activated");
    let app = binaries::app();
    let text = format!("#!/bin/sh\nexec 3>&2 2>records\nexport LISTEN_FDS=1\nexec {} \"$@\"\n", app.display());
    scratch::write(&script, text);
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("the test owns the file");
    script
}

fn listen(setup: &Setup, port: &str) -> TcpListener {
    let port: u16 = setup.get(port).parse().expect("a port");
    TcpListener::bind(("127.0.0.1", port)).expect("the port is free")
}

#[test]
fn an_inherited_socket_is_examined_instead_of_the_address_of_the_settings() {
    let setup = Setup::new();
    let socket = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = socket.local_addr().expect("it is bound").to_string();
    let service = setup.service_of(&activated(&setup)).stderr(socket.into()).start();
    let unused = format!("127.0.0.1:{} (server.host and server.port) is not used", setup.get("APP__SERVER__PORT"));
    let parts = [address.as_str(), "the running service inherits", unused.as_str()];
    setup.doctor().has("api-port", "OK", &parts).has("management-port", "OK", &["is held by the running service"]);
    // The port of another service.
    let _other = listen(&setup, "APP__SERVER__PORT");
    setup.doctor().has("api-port", "OK", &parts);
    service.stop();
}

#[test]
fn the_name_of_an_inherited_socket_is_that_of_its_listener() {
    let setup = Setup::new();
    let socket = listen(&setup, "APP__MANAGEMENT__PORT");
    let service = setup.service_of(&activated(&setup)).env("LISTEN_FDNAMES", "management").stderr(socket.into());
    let service = service.start();
    let report = setup.doctor();
    report.has("management-port", "OK", &["the running service inherits"]).has("api-port", "OK", &["is held by the"]);
    assert_eq!(report.json["pid"], service.pid);
    service.stop();
}

/// A process with systemd's name that has a socket. It ends with the test, whose end of a pipe it reads.
struct Systemd(Child);

impl Systemd {
    fn with(setup: &Setup, socket: TcpListener) -> Self {
        let program = setup.scratch().join("systemd");
        if !program.exists() {
            symlink("/bin/sh", &program).expect("the name is free");
        }
        let mut command = Command::new(program);
        command.args(["-c", "read line"]).stdin(Stdio::piped()).stdout(std::os::fd::OwnedFd::from(socket));
        Self(command.spawn().expect("sh runs"))
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It ends when its input does.
        let _ = self.0.wait();
    }
}

#[test]
fn a_start_inherits_what_systemd_holds() {
    let setup = Setup::new();
    let api = Systemd::with(&setup, listen(&setup, "APP__SERVER__PORT"));
    let management = Systemd::with(&setup, listen(&setup, "APP__MANAGEMENT__PORT"));
    let [api_pid, management_pid] = [&api, &management].map(|it| format!("systemd (pid {})", it.0.id()));
    let report = setup.doctor();
    report.has("api-port", "OK", &[&api_pid, "the start inherits it"]);
    report.has("management-port", "OK", &[&management_pid, "the start inherits it"]);
    report.has("process", "OK", &["the service does not run", &management_pid]);
    assert_eq!(report.code, Some(0));
}
