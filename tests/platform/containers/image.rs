//! Builds the image, and runs containers of it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use system_tests::dist::dist;
use system_tests::http::Client;
use system_tests::peers::program::program;
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::scratch::{self, Scratch};
use system_tests::{ports, wait};

/// The user of the image.
pub const USER: u32 = 65532;
const LIMIT: Duration = Duration::from_secs(120);
/// What a runtime mounts over; it creates what the image lacks, which it cannot where the root is read-only.
const MOUNT_POINTS: [&str; 7] = ["dev", "proc", "sys", "tmp", "run/secrets", "var/lib", "etc"];
const MOUNTED_FILES: [&str; 4] = ["etc/hosts", "etc/hostname", "etc/resolv.conf", "run/.containerenv"];

/// The image, in a storage of its own.
pub struct Image {
    // Containers are deleted with it.
    scratch: Scratch,
    /// The configuration of the image, as the runtime reads it.
    pub config: Value,
}

impl Image {
    /// Builds the final stage with the command of docs/OPERATIONS.md, on a base image that is made here.
    #[track_caller]
    pub fn build() -> Self {
        let mut image = Self::empty();
        let binary = dist().app();
        scratch::make_dir(&image.scratch.join("binary"));
        fs::copy(&binary, image.scratch.join("binary/app")).expect("the scratch directory is writable");
        image.build_base(&binary);

        let documented = documented_build();
        let context = format!("binary={}", image.scratch.join("binary").display());
        let arguments = documented.iter().map(|it| if it == "binary=target/dist" { &context } else { it });
        let mut build = image.buildah("build");
        build.current_dir(scratch::workspace());
        // Without health checks in the format of the OCI.
        build.args(["--format", "docker", "--isolation", "chroot", "--pull-never", "--quiet"]);
        build.args(["--build-arg", "RUNTIME_IMAGE=localhost/runtime"]).args(arguments);
        output(build);
        let mut inspect = image.buildah("inspect");
        inspect.args(["--type", "image", "cyanotype"]);
        let inspected: Value = serde_json::from_str(&output(inspect)).expect("buildah prints JSON");
        image.config = inspected["Docker"]["config"].clone();
        image
    }

    fn empty() -> Self {
        let scratch = Scratch::new("image");
        for directory in ["storage", "run", "tmp"] {
            scratch::make_dir(&scratch.join(directory));
        }
        Self { scratch, config: Value::Null }
    }

    /// Like the real base image: the libraries and the directories, no shell.
    fn build_base(&self, binary: &Path) {
        let root = self.scratch.join("runtime");
        make_mount_points(&root);
        let mut ldd = Command::new("ldd");
        ldd.arg(binary);
        for library in output(ldd).split_whitespace().filter(|word| word.starts_with('/')) {
            let target = root.join(library.trim_start_matches('/'));
            scratch::make_dir(target.parent().expect("a library is in a directory"));
            fs::copy(library, &target).unwrap_or_else(|e| panic!("{library}: {e}"));
        }
        let mut from = self.buildah("from");
        from.args(["--name", "runtime", "scratch"]);
        output(from);
        let mut copy = self.buildah("copy");
        copy.args(["--quiet", "runtime"]).arg(&root).arg("/");
        output(copy);
        let mut commit = self.buildah("commit");
        commit.args(["--quiet", "--rm", "runtime", "localhost/runtime"]);
        output(commit);
    }

    fn buildah(&self, command: &str) -> Command {
        let mut buildah = Command::new(program("buildah", "buildah"));
        self.set_storage(&mut buildah);
        buildah.arg(command);
        buildah
    }

    fn set_storage(&self, command: &mut Command) {
        command.arg("--root").arg(self.scratch.join("storage")).arg("--runroot").arg(self.scratch.join("run"));
        command.args(["--storage-driver", "vfs"]).env("TMPDIR", self.scratch.join("tmp"));
    }

    /// A new container with this name, and a directory for its volume.
    #[track_caller]
    pub fn container(&self, name: &str) -> Container<'_> {
        let mut from = self.buildah("from");
        from.args(["--name", name, "cyanotype"]);
        output(from);
        let state = self.scratch.join(format!("{name}-state"));
        scratch::make_dir(&state);
        chown(&state, Some(USER), Some(USER)).expect("the tests run as root");
        let mut volumes = vec![format!("{}:/var/lib/cyanotype", state.display())];
        let secrets = self.scratch.join(format!("{name}-secrets"));
        scratch::make_dir(&secrets);
        volumes.push(format!("{}:/run/secrets:ro", secrets.display()));
        let ports = [ports::free(), ports::free()];
        let env = vec![format!("APP__SERVER__PORT={}", ports[0]), format!("APP__MANAGEMENT__PORT={}", ports[1])];
        let log = self.scratch.join(format!("{name}.log"));
        Container { image: self, name: name.to_owned(), state, secrets, log, volumes, env, ports, read_only: false }
    }

    /// The program of the image.
    pub fn entrypoint(&self) -> Vec<&str> {
        self.config["Entrypoint"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// A container, whose processes are started and stopped.
pub struct Container<'a> {
    image: &'a Image,
    name: String,
    /// What is mounted as /var/lib/cyanotype.
    pub state: PathBuf,
    /// What is mounted as /run/secrets.
    pub secrets: PathBuf,
    /// What the runtime has collected from stderr, of all runs.
    pub log: PathBuf,
    volumes: Vec<String>,
    pub env: Vec<String>,
    /// The ports of the API and of management.
    pub ports: [u16; 2],
    pub read_only: bool,
}

/// The service in a container. Dropping it ends it.
pub struct Running<'a> {
    guard: ProcessGuard,
    container: &'a Container<'a>,
    /// The process of the service, outside the container.
    pub pid: u32,
}

impl Container<'_> {
    /// Runs the image's program with these arguments to its end; returns the exit status and stdout.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let buildah = program("buildah", "buildah");
        let mut command = Command::new(buildah);
        self.add_run(&mut command, arguments.iter().map(OsStr::new));
        let output = command.output().expect("buildah runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts the service, and waits until the image's health check succeeds.
    #[track_caller]
    pub fn start(&self) -> Running<'_> {
        let log = File::options().create(true).append(true).open(&self.log).expect("the scratch directory is writable");
        let buildah = program("buildah", "buildah");
        let mut command = if self.read_only {
            // An earlier run in the container has deleted those that it mounted over.
            make_mount_points(Path::new(&self.root()));
            let mut command = process_guard::command("unshare");
            command.args(["-m", "sh", "-c", READ_ONLY]).arg(self.root()).arg(&buildah);
            command
        } else {
            process_guard::command(buildah)
        };
        self.add_run(&mut command, []);
        command.stdout(File::create(self.log.with_extension("out")).expect("the scratch directory is writable"));
        command.stderr(log);
        let mut guard = ProcessGuard::spawn(command);
        let live = self.management().get("/health/ready");
        wait::until("the container to be ready", LIMIT, || {
            if let Some(status) = guard.exited() {
                panic!("the container ended with {status}:\n{}", scratch::read(&self.log));
            }
            live.clone().try_send().ok().filter(|reply| reply.status == 200)
        });
        let pid = self.pid(guard.pid());
        Running { guard, container: self, pid }
    }

    fn add_run<'b>(&self, command: &mut Command, arguments: impl IntoIterator<Item = &'b OsStr>) {
        self.image.set_storage(command);
        command.args(["run", "--isolation", "chroot"]);
        self.volumes.iter().for_each(|volume| _ = command.args(["--volume", volume]));
        self.env.iter().for_each(|variable| _ = command.args(["--env", variable]));
        command.arg(&self.name).arg("--").args(self.image.entrypoint()).args(arguments);
    }

    /// The container's root on the machine.
    fn root(&self) -> String {
        let mut mount = self.image.buildah("mount");
        mount.arg(&self.name);
        output(mount).trim().to_owned()
    }

    /// The service among the descendants of the runtime's process.
    fn pid(&self, runtime: u32) -> u32 {
        let program = self.image.entrypoint()[0];
        let parent = |pid: u32| -> Option<u32> {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
        };
        let is_own = |pid: u32| std::iter::successors(Some(pid), |pid| parent(*pid)).any(|it| it == runtime);
        let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let runs_program = |pid: u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).next() == Some(program.as_bytes())
        };
        pids.find(|pid| runs_program(*pid) && is_own(*pid)).expect("the service runs in the container")
    }

    /// A client for the API.
    pub fn client(&self) -> Client {
        Client::new(self.ports[0])
    }

    /// A client for the management listener.
    pub fn management(&self) -> Client {
        Client::new(self.ports[1])
    }
}

impl Running<'_> {
    /// Stops it as a runtime does: with the image's signal to its first process. Returns its exit status.
    #[track_caller]
    pub fn stop(mut self) -> Option<i32> {
        let signal = self.container.image.config["StopSignal"].as_str().expect("the image names a signal");
        process_guard::signal(self.pid, signal.trim_start_matches("SIG"));
        self.guard.wait_exit(LIMIT).code()
    }
}

/// Runs the rest of its arguments where the directory `$0` is read-only.
const READ_ONLY: &str = r#"
mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@""#;

/// The words after `docker build` of the documented command that takes an existing binary.
fn documented_build() -> Vec<String> {
    let document = scratch::read(&scratch::workspace().join("docs/OPERATIONS.md"));
    let mut builds = document.lines().filter_map(|line| line.trim().strip_prefix("docker build "));
    let build = builds.find(|build| build.contains("binary=target/dist"));
    build.expect("docs/OPERATIONS.md builds the image from a binary").split_whitespace().map(str::to_owned).collect()
}

fn make_mount_points(root: &Path) {
    MOUNT_POINTS.iter().for_each(|directory| scratch::make_dir(&root.join(directory)));
    MOUNTED_FILES.iter().for_each(|file| scratch::write(&root.join(file), ""));
}

/// The files of a directory that a build sees, sorted.
#[track_caller]
pub fn context_files(directory: &Path, scratch: &Scratch) -> Vec<String> {
    let containerfile = scratch.join("Containerfile");
    scratch::write(&containerfile, "FROM scratch\nCOPY . /\n");
    let image = Image::empty();
    let mut build = image.buildah("build");
    build.args(["--isolation", "chroot", "--quiet", "--tag", "context", "--file"]).arg(containerfile).arg(directory);
    output(build);
    let mut from = image.buildah("from");
    from.args(["--name", "context", "context"]);
    output(from);
    let mut mount = image.buildah("mount");
    mount.arg("context");
    let mut find = Command::new("find");
    find.arg(output(mount).trim()).args(["-type", "f", "-printf", "%P\n"]);
    let mut files: Vec<String> = output(find).lines().map(str::to_owned).collect();
    files.sort();
    files
}

#[track_caller]
fn output(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
