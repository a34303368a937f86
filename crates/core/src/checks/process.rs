//! The running service, found through its management listener.

use std::path::Path;
use std::time::Duration;

use procfs::Current;
use procfs::process::Process;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::check_result::CheckResult;
use super::examined_process::ExaminedProcess;
use super::listening::{Holder, Listener, listeners, socket_holders};
use super::units::duration;
use crate::management_client;
use crate::settings::ManagementSettings;

pub(super) const NAME: &str = "process";
/// The maximum time for a connection, and for a response.
const LIMIT: Duration = Duration::from_secs(2);

/// Finds the running service of these settings. Without one, a start by the caller is examined.
pub(super) async fn find(settings: &ManagementSettings) -> (ExaminedProcess, CheckResult) {
    let address = address(settings);
    let own = program(&Path::new("/proc/self/exe").read_link().unwrap_or_default());
    let is_service = |process: &Process| process.exe().is_ok_and(|exe| program(&exe) == own);
    if let Some(stream) = connect_socket(settings).await {
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
        if let Some(process) = pid.and_then(|pid| Process::new(pid).ok()).filter(is_service) {
            return examine(&process, is_live(stream).await);
        }
    }
    let here = ExaminedProcess::start_here();
    let start = format!("the checks are those of a start here, as {}", here.user());
    if settings.port == 0 {
        let found = format!("management.port is 0, so a running service cannot be found: {start}");
        return (here, CheckResult::ok(NAME, found));
    }
    let listeners = listeners(&settings.host, settings.port);
    if listeners.is_empty() {
        return (here, CheckResult::ok(NAME, format!("none listens on {address}: {start}")));
    }
    let inodes: Vec<u64> = listeners.iter().map(|it| it.inode).collect();
    let holders = socket_holders(&inodes);
    if !holders.is_empty() && holders.iter().all(Holder::is_systemd) {
        // A connection would start the service.
        let names = holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let found = format!("the service does not run; {names} listens on {address} for it: {start}");
        return (here, CheckResult::ok(NAME, found));
    }
    let mut processes = holders.iter().filter_map(|holder| Process::new(holder.pid).ok());
    let service = processes.find(is_service);
    let host = settings.host.reachable();
    let live = match timeout(LIMIT, TcpStream::connect((host.as_str(), settings.port))).await {
        Ok(Ok(stream)) => is_live(stream).await,
        _ => false,
    };
    match service {
        Some(process) => examine(&process, live),
        None => (here, other(&address, &listeners, &holders, live, &start)),
    }
}

/// The address of the management listener.
fn address(settings: &ManagementSettings) -> String {
    let ManagementSettings { host, port, socket, .. } = settings;
    let socket = socket.as_ref().map(|path| format!("{path} or ")).unwrap_or_default();
    format!("{socket}{}", host.with_port(*port))
}

/// The result about a process that is not seen to be the service.
fn other(address: &str, listeners: &[Listener], holders: &[Holder], live: bool, start: &str) -> CheckResult {
    match (holders, live) {
        ([], true) => CheckResult::warn(
            NAME,
            format!("the service listens on {address}, but its /proc entries cannot be read: {start}"),
            format!("run this command as root, or as its user (uid {})", listeners.first().map_or(0, |it| it.uid)),
        ),
        // The check of the port names the other program.
        _ => CheckResult::ok(NAME, format!("the service does not run: {start}")),
    }
}

fn examine(process: &Process, live: bool) -> (ExaminedProcess, CheckResult) {
    let Some(examined) = ExaminedProcess::running(process) else {
        return (
            ExaminedProcess::start_here(),
            CheckResult::ok(NAME, "the service has just ended: the checks are those of a start here"),
        );
    };
    let exe = process.exe().map(|exe| exe.display().to_string());
    let exe_shown = exe.as_deref().unwrap_or("a program that cannot be read");
    let pid = process.pid;
    let time = running_for(process).map(|time| format!(", for {}", duration(time))).unwrap_or_default();
    let found = format!("{exe_shown} runs as pid {pid}, {}{time}", examined.user());
    let result = if !live {
        let found = format!("{found}, but does not answer /health/live within {} s", LIMIT.as_secs());
        CheckResult::fail(
            NAME,
            found,
            format!("see its records; if it does not recover: kill -QUIT {pid}, and start it again"),
        )
    } else if exe.is_err() {
        let remedy = format!("run this command as root, or as the user of the service ({})", examined.user());
        CheckResult::warn(NAME, found, remedy)
    } else if exe_shown.ends_with(" (deleted)") {
        CheckResult::warn(
            NAME,
            format!("{found}; the file was replaced since"),
            "restart the service, which runs the new program",
        )
    } else {
        CheckResult::ok(NAME, found)
    };
    (examined, result)
}

/// The time since the start of a process.
fn running_for(process: &Process) -> Option<Duration> {
    let started = process.stat().ok()?.starttime / procfs::ticks_per_second();
    let uptime = procfs::Uptime::current().ok()?.uptime_duration();
    uptime.checked_sub(Duration::from_secs(started))
}

fn program(exe: &Path) -> String {
    let name = exe.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(" (deleted)").unwrap_or(&name).to_owned()
}

async fn connect_socket(settings: &ManagementSettings) -> Option<UnixStream> {
    let path = settings.socket.as_ref()?;
    timeout(LIMIT, UnixStream::connect(path)).await.ok()?.ok()
}

/// Whether the service at the other end answers `/health/live` in time.
async fn is_live(stream: impl AsyncRead + AsyncWrite + Unpin) -> bool {
    timeout(LIMIT, management_client::is_live(stream)).await.is_ok_and(|answer| answer.unwrap_or_default())
}
