//! The files of a pod, and its processes as the kubelet would start them.
//!
//! A pod of this machine differs from one of a cluster in four things: the directories that it mounts lie in the test's own one
//! (the paths in its settings are replaced), its two ports are free ones (`APP__SERVER__PORT`, `APP__MANAGEMENT__PORT`), the
//! names of Services are addresses of this machine, and the test writes its log file in the format of
//! container runtimes. Its
//! settings, its arguments and its working directory are those of the manifest.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use system_tests::http::Client;
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::scratch::{self, Scratch};
use system_tests::{binaries, wait};

use super::cri;
use super::manifests::{Manifests, container, name};
use crate::LIMIT;

/// What the Secret holds, and where Services are.
#[derive(Clone)]
pub struct Cluster {
    /// The Secret's keys with their values.
    pub secret: Vec<(&'static str, String)>,
    /// The URLs of Services, with those that are used instead.
    pub services: Vec<(String, String)>,
    /// The directory that stands for `/var/log/pods`.
    pub logs: PathBuf,
}

/// The mounted volumes of a pod.
pub struct Volumes {
    scratch: Scratch,
}

impl Volumes {
    /// Those of a Deployment's pod.
    #[track_caller]
    pub fn mount(manifests: &Manifests, deployment: &Value, cluster: &Cluster) -> Self {
        let volumes = Self { scratch: Scratch::new("pod") };
        let list = |pointer: &str| {
            let list = deployment.pointer(pointer).and_then(Value::as_array);
            list.unwrap_or_else(|| panic!("{} has no {pointer}", name(deployment))).clone()
        };
        let mounts = list("/spec/template/spec/containers/0/volumeMounts");
        for volume in list("/spec/template/spec/volumes") {
            let mount = mounts.iter().find(|mount| mount["name"] == volume["name"]);
            let mount = mount.unwrap_or_else(|| panic!("{volume} is not mounted"));
            let directory = volumes.path(mount["mountPath"].as_str().expect("a mount has a path"));
            scratch::make_dir(&directory);
            if let Some(config) = volume["configMap"]["name"].as_str() {
                let data = manifests.named("ConfigMap", config)["data"].as_object().expect("it has data");
                for (file, content) in data {
                    let content =
                        volumes.replaced(content.as_str().expect("settings are text"), mounts.as_slice(), cluster);
                    scratch::write(&directory.join(file), content);
                }
            } else if volume["secret"]["secretName"].is_string() {
                for (key, value) in &cluster.secret {
                    scratch::write(&directory.join(key), value);
                }
            } else {
                assert!(volume["emptyDir"].is_object(), "{volume} is of an unknown kind");
            }
        }
        volumes
    }

    /// Where a path of the pod is on this machine.
    pub fn path(&self, path: &str) -> PathBuf {
        self.scratch.join(path.trim_start_matches('/'))
    }

    /// Settings with the mounted paths and the Services of this machine.
    fn replaced(&self, settings: &str, mounts: &[Value], cluster: &Cluster) -> String {
        let own = |mount: &Value| {
            let path = mount["mountPath"].as_str().expect("a mount has a path").to_owned();
            let own = self.path(&path).to_str().expect("the target directory's path must be UTF-8").to_owned();
            (format!("\"{path}/"), format!("\"{own}/"))
        };
        let services = cluster.services.iter().map(|(service, own)| (format!("\"{service}\""), format!("\"{own}\"")));
        let replaced = mounts.iter().map(own).chain(services);
        replaced.fold(settings.to_owned(), |settings, (path, own)| settings.replace(&path, &own))
    }

    /// A container's command.
    pub fn command(&self, container: &Value) -> Command {
        // The image's entry point is the binary.
        let mut command = process_guard::command(binaries::app());
        command.args(container["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
        let directory = self.path(container["workingDir"].as_str().expect("the container has a working directory"));
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).current_dir(directory);
        command
    }

    /// Runs the init container to its end.
    #[track_caller]
    pub fn init(&self, deployment: &Value) -> ExitStatus {
        let mut command = self.command(container(deployment, "initContainers"));
        let output = File::create(self.scratch.join("init.log")).expect("the test's own directory can be written");
        command.stdout(output.try_clone().expect("an open file can be shared")).stderr(output);
        ProcessGuard::spawn(command).wait_exit(LIMIT)
    }

    /// What the init container wrote.
    pub fn init_log(&self) -> String {
        scratch::read(&self.scratch.join("init.log"))
    }
}

/// A running pod. Dropping it ends it.
pub struct Pod {
    // Before its files: fields are dropped in declaration order.
    app: ProcessGuard,
    log_writer: JoinHandle<()>,
    /// Its log, in the format of container runtimes (CRI).
    pub log: PathBuf,
    /// The port of the API, and that of management.
    pub ports: [u16; 2],
    _volumes: Volumes,
}

impl Pod {
    /// Mounts the volumes, runs the init container, and starts the container. The pod need not be ready yet.
    #[track_caller]
    pub fn start(manifests: &Manifests, deployment: &Value, cluster: &Cluster, ports: [u16; 2]) -> Self {
        let volumes = Volumes::mount(manifests, deployment, cluster);
        let status = volumes.init(deployment);
        assert!(status.success(), "the init container ended with {status}: {}", volumes.init_log());

        let app = container(deployment, "containers");
        let log = log_file(cluster, deployment, app);
        let (reader, output) = std::io::pipe().expect("a pipe can be made");
        let file = File::create(&log).expect("the test's own directory can be written");
        let log_writer = std::thread::spawn(move || cri::write(BufReader::new(reader), file));

        let mut command = volumes.command(app);
        command.env("APP__SERVER__PORT", ports[0].to_string()).env("APP__MANAGEMENT__PORT", ports[1].to_string());
        command.stdout(output.try_clone().expect("an open pipe can be shared")).stderr(output);
        Self { app: ProcessGuard::spawn(command), log_writer, log, ports, _volumes: volumes }
    }

    /// What a probe of the manifest gets.
    pub fn probe(&self, probe: &Value) -> Option<u16> {
        let path = probe["httpGet"]["path"].as_str().expect("a probe has a path");
        self.management().get(path).try_send().ok().map(|reply| reply.status)
    }

    /// A client for its management port.
    pub fn management(&self) -> Client {
        Client::new(self.ports[1])
    }

    /// Waits until its readiness probe succeeds.
    #[track_caller]
    pub fn wait_ready(&mut self, deployment: &Value) {
        let probe = &container(deployment, "containers")["readinessProbe"];
        wait::until("the pod to be ready", LIMIT, || {
            if let Some(status) = self.app.exited() {
                panic!("the pod ended with {status}: {}", scratch::read(&self.log));
            }
            (self.probe(probe) == Some(200)).then_some(())
        });
    }

    /// Sends TERM, as the kubelet does to a pod that is deleted.
    pub fn terminate(&self) {
        self.app.signal("TERM");
    }

    /// Waits for the end, and returns the records of its log.
    #[track_caller]
    pub fn end(self, grace_period: Duration) -> Vec<Value> {
        let Self { mut app, log_writer, log, ports: _, _volumes } = self;
        let status = app.wait_exit(grace_period);
        assert_eq!(status.code(), Some(0), "{}", scratch::read(&log));
        // Its shell's watcher holds the pipe until then.
        drop(app);
        log_writer.join().expect("the log's writer does not panic");
        cri::records(&log)
    }
}

/// The log of a new pod: `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log`.
fn log_file(cluster: &Cluster, deployment: &Value, container: &Value) -> PathBuf {
    static PODS: AtomicUsize = AtomicUsize::new(0);
    let number = PODS.fetch_add(1, Ordering::Relaxed);
    let namespace = deployment["metadata"]["namespace"].as_str().expect("it has a namespace");
    let pod = format!("{namespace}_{}-5d8f7c-{number:05}_00000000-0000-4000-8000-{number:012}", name(deployment));
    let directory = cluster.logs.join(pod).join(container["name"].as_str().expect("it has a name"));
    scratch::make_dir(&directory);
    directory.join("0.log")
}
