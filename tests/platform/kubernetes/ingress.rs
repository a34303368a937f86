//! The Ingress and the Services, simulated by haproxy: it routes by the Ingress' paths, and a pod is an endpoint of its Service while
//! its readiness probe succeeds. In a cluster a pod that is deleted is no endpoint any more from that moment on; here haproxy has
//! to notice it by the probe, as load balancers outside of the cluster do.

use std::fmt::Write;

use serde_json::Value;
use system_tests::http::Client;
use system_tests::peers::haproxy;
use system_tests::process_guard::ProcessGuard;
use system_tests::scratch::{self, Scratch};
use system_tests::{ports, wait};

use super::manifests::{Manifests, container, name};
use crate::LIMIT;

const DEFAULTS: &str = "
global
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    # Otherwise `inter`: a check that is only slow, on a busy machine, is no failure.
    timeout check 2s
    # A failure is a failure: no request is sent twice.
    retries 0
    default-server check inter 100ms fall 1 rise 1
";

/// The endpoints that the pods of a Deployment may have.
pub struct Slots {
    /// The Service of their API.
    pub service: String,
    /// The ports of the API and of management.
    pub endpoints: Vec<[u16; 2]>,
}

/// The name of the Service that sends requests to the API of a Deployment's pods.
#[track_caller]
pub fn service_of<'a>(manifests: &'a Manifests, deployment: &'a Value) -> &'a str {
    let services = manifests.selecting("Service", "/spec/selector", deployment);
    let api = services.into_iter().find(|service| service["spec"]["ports"][0]["targetPort"] == "http");
    name(api.expect("there is a Service for the API"))
}

/// A running haproxy. Dropping it ends it.
pub struct Ingress {
    _server: ProcessGuard,
    _scratch: Scratch,
    /// The Ingress' port.
    pub port: u16,
    status_port: u16,
}

impl Ingress {
    /// Starts it. `services` has the port of each Service.
    #[track_caller]
    pub fn start(manifests: &Manifests, slots: &[Slots], services: &[(String, u16)]) -> Self {
        let (scratch, port, status_port) = (Scratch::new("haproxy"), ports::free(), ports::free());
        let mut text = DEFAULTS.to_owned();
        let mut line = |line: String| writeln!(text, "{line}").expect("a string can be written to");
        line(format!("frontend status\n    bind 127.0.0.1:{status_port}\n    stats enable\n    stats uri /"));
        line(format!("frontend ingress\n    bind 127.0.0.1:{port}"));
        let paths = manifests.named("Ingress", "cyanotype")["spec"]["rules"][0]["http"]["paths"].as_array();
        for (n, path) in paths.expect("the Ingress has paths").iter().enumerate() {
            assert_eq!(path["pathType"], "Prefix");
            // A prefix matches whole segments.
            let prefix = path["path"].as_str().expect("it has a path").trim_end_matches('/');
            line(format!("    acl path{n} path {prefix}/\n    acl path{n} path_beg {prefix}/"));
            if !prefix.is_empty() {
                line(format!("    acl path{n} path {prefix}"));
            }
            line(format!(
                "    use_backend {} if path{n}",
                path["backend"]["service"]["name"].as_str().expect("a Service")
            ));
        }
        for (service, port) in services {
            line(format!("frontend service-{service}\n    bind 127.0.0.1:{port}\n    default_backend {service}"));
        }
        let deployment = manifests.kind("Deployment").next().expect("there is a Deployment");
        let ready = &container(deployment, "containers")["readinessProbe"]["httpGet"]["path"];
        for Slots { service, endpoints } in slots {
            line(format!("backend {service}\n    option httpchk GET {}", ready.as_str().expect("a probe has a path")));
            for [port, management] in endpoints {
                line(format!("    server {port} 127.0.0.1:{port} check port {management}"));
            }
        }
        let [file, log] = ["haproxy.cfg", "log"].map(|name| scratch.join(name));
        scratch::write(&file, text);
        let server = haproxy::run(&file, &[], port, &log);
        Self { _server: server, _scratch: scratch, port, status_port }
    }

    /// Waits until a pod is an endpoint, or none any more.
    #[track_caller]
    pub fn wait_endpoint(&self, port: u16, ready: bool) {
        let status = Client::new(self.status_port).get("/;csv");
        let wanted = if ready { "UP" } else { "DOWN" };
        wait::until(&format!("the pod at port {port} to be {wanted}"), LIMIT, || {
            let table = status.clone().try_send().ok()?;
            let row = table
                .text()
                .lines()
                .map(|row| row.split(',').collect::<Vec<_>>())
                .find(|row| row.get(1) == Some(&&*port.to_string()))?;
            row.get(17)?.starts_with(wanted).then_some(())
        });
    }
}
