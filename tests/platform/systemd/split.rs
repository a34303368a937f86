//! One process for each blueprint, by the template units.

use system_tests::http::Client;
use system_tests::peers::recording_sentry::RecordingSentry;
use system_tests::peers::systemd::Systemd;
use system_tests::ports;

use super::deployed::{documented, records};
use super::lifecycle::live;
use crate::probe_app;

#[test]
fn each_blueprint_runs_in_its_own_process() {
    let systemd = Systemd::boot(probe_app());
    let sentry = RecordingSentry::start(|_| "200 OK");
    systemd.sh(&format!("DSN={}\n{}", sentry.dsn(), documented("installed")));
    let [users, orders, users_management, orders_management] = std::array::from_fn(|_| ports::free());
    for (name, port, management) in [("users", users, users_management), ("orders", orders, orders_management)] {
        let socket = format!("[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n");
        systemd.write(&format!("/etc/systemd/system/cyanotype@{name}.socket.d/override.conf"), &socket);
        let mut service = format!("[Service]\nEnvironment=APP__MANAGEMENT__PORT={management}\n");
        if name == "orders" {
            service += &format!("Environment=APP__BLUEPRINTS__ORDERS__USERS_URL=http://127.0.0.1:{users}\n");
        }
        systemd.write(&format!("/etc/systemd/system/cyanotype@{name}.service.d/zz-override.conf"), &service);
    }
    systemd.sh(&documented("split"));
    live(Client::new(users), Client::new(orders));
    assert_eq!(Client::new(users).get("/orders").send().status, 404, "users has no orders");
    for name in ["users", "orders"] {
        assert!(systemd.path(&format!("/var/lib/cyanotype/{name}.db")).exists(), "{name}");
        assert!(systemd.path(&format!("/run/cyanotype/{name}/management.sock")).exists(), "{name}");
        let responses = records(&systemd, &format!("--identifier=cyanotype-{name} --unit=cyanotype@{name}"));
        assert!(responses.iter().any(|record| record["kind"] == "response" && record["blueprint"] == name), "{name}");
    }
}
