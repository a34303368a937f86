//! What the file descriptor 2 is, and who reads it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::fcntl_getpipe_size;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

use super::check_result::CheckResult;
use super::examined_process::ExaminedProcess;
use super::listening::{Holder, named, pipe_readers};
use super::units::size;
use crate::settings::{Env, Mode, Settings};

pub(super) const NAME: &str = "stderr";
const JOURNALD: &str = "systemd-journal";
/// A pipe with less room than this is full: a longer record does not fit.
const FULL: u64 = 4096;
/// How often, and in which interval, a full pipe is looked at.
const PIPE_POLLS: u32 = 4;
const PIPE_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What the descriptor refers to.
#[derive(Debug)]
enum Target {
    Closed,
    Null,
    Terminal(PathBuf),
    Pipe(Option<u64>),
    Journal,
    Socket,
    File(PathBuf),
    Other(PathBuf),
}

/// The regular file that the descriptor refers to.
pub(super) fn file(examined: &ExaminedProcess) -> Option<PathBuf> {
    match target(examined) {
        Ok(Target::File(path)) => Some(path),
        _ => None,
    }
}

pub(super) fn check(examined: &ExaminedProcess, settings: &Settings) -> CheckResult {
    let target = match target(examined) {
        Ok(target) => target,
        Err(error) => {
            return CheckResult::warn(NAME, format!("descriptor 2 cannot be read: {error}"), privileges(examined));
        }
    };
    let result = match target {
        Target::Closed => CheckResult::fail(NAME, "descriptor 2 is closed: every record is lost", COLLECT),
        Target::Null => {
            CheckResult::warn(NAME, "/dev/null, also if it was closed at the start: every record is lost", COLLECT)
        }
        Target::Terminal(path) if settings.env == Env::Dev => {
            CheckResult::ok(NAME, format!("the terminal {}", path.display()))
        }
        Target::Terminal(path) => {
            CheckResult::warn(NAME, format!("the terminal {}: nothing collects the records", path.display()), COLLECT)
        }
        Target::Pipe(pipe) => check_pipe(examined, pipe),
        Target::Journal => match &named(JOURNALD)[..] {
            [] => CheckResult::warn(
                NAME,
                "a stream of journald, which is not seen to run",
                "systemctl status systemd-journald; in a container this is expected",
            ),
            [journald, ..] => CheckResult::ok(NAME, format!("a stream of the journal, read by {journald}")),
        },
        Target::Socket => CheckResult::ok(NAME, "a socket, whose reader is not known"),
        Target::File(path) => check_file(examined, &path),
        Target::Other(path) => CheckResult::ok(NAME, path.display().to_string()),
    };
    if matches!(settings.log.mode, Mode::Stderr | Mode::Both) {
        return result;
    }
    let mode = settings.log.mode.as_str();
    CheckResult::ok(NAME, format!("{} (with log.mode={mode} no record is written to it)", result.found))
}

const COLLECT: &str = "run the service under supervisord or systemd, or append stderr to a file (2>> app.log)";

fn privileges(examined: &ExaminedProcess) -> String {
    format!("run this command as root, or as the user of the service ({})", examined.user())
}

fn target(examined: &ExaminedProcess) -> io::Result<Target> {
    let descriptor = examined.file("fd/2");
    let link = match fs::read_link(&descriptor) {
        Ok(link) => link,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Target::Closed),
        Err(error) => return Err(error),
    };
    let text = link.to_string_lossy();
    let number = |kind: &str| text.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok();
    if let Some(inode) = number("pipe") {
        return Ok(Target::Pipe(Some(inode)));
    }
    let metadata = fs::metadata(&descriptor)?;
    let file_type = metadata.file_type();
    Ok(if text == "/dev/null" {
        Target::Null
    } else if file_type.is_socket() {
        let stream = examined.environment().and_then(|mut all| all.remove("JOURNAL_STREAM"));
        let own = format!("{}:{}", metadata.dev(), metadata.ino());
        if stream.as_ref() == Some(&own) { Target::Journal } else { Target::Socket }
    } else if file_type.is_fifo() {
        Target::Pipe(None)
    } else if file_type.is_file() {
        Target::File(link)
    } else if file_type.is_char_device()
        && ["/dev/pts/", "/dev/tty", "/dev/console"].iter().any(|it| text.starts_with(it))
    {
        Target::Terminal(link)
    } else {
        Target::Other(link)
    })
}

fn check_pipe(examined: &ExaminedProcess, pipe: Option<u64>) -> CheckResult {
    let readers: Vec<Holder> = pipe.map(pipe_readers).unwrap_or_default();
    let readers: Vec<Holder> = readers.into_iter().filter(|reader| Some(reader.pid) != examined.running).collect();
    let names = readers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    // Opens the same pipe again, without waiting.
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default())
        .open(examined.file("fd/2"));
    let opened = match opened {
        Ok(opened) => opened,
        // Only of a named pipe: one without a name can be opened without a reader.
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => return unread(),
        Err(_) if readers.is_empty() => {
            return CheckResult::warn(NAME, "a pipe, whose reader cannot be seen", privileges(examined));
        }
        Err(_) => return CheckResult::ok(NAME, format!("a pipe, read by {names}")),
    };
    if readers.is_empty() && !has_reader(&opened) {
        return unread();
    }
    let read_by =
        if names.is_empty() { "read by a process that cannot be seen".into() } else { format!("read by {names}") };
    let mut waiting = 0;
    for poll in 0..PIPE_POLLS {
        waiting = ioctl_fionread(&opened).unwrap_or_default();
        let capacity = fcntl_getpipe_size(&opened).map_or(u64::MAX, |size| size as u64);
        if waiting + FULL <= capacity {
            return CheckResult::ok(NAME, format!("a pipe, {read_by}"));
        }
        if poll + 1 < PIPE_POLLS {
            std::thread::sleep(PIPE_POLL_INTERVAL);
        }
    }
    CheckResult::warn(
        NAME,
        format!("a pipe, {read_by}, which is full ({} wait): records queue, then are dropped", size(waiting)),
        "find out why the reader does not read: is it stopped, is its disk full?",
    )
}

fn unread() -> CheckResult {
    CheckResult::fail(
        NAME,
        "a pipe that no process reads: every record is lost",
        "start the process that collects the records, then restart the service",
    )
}

/// Whether any process can read from a pipe; the kernel reports an error at a writing end without a reading one.
fn has_reader(pipe: &File) -> bool {
    let closed = || -> io::Result<bool> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let sender = Sender::from_file(pipe.try_clone()?)?;
            let ready =
                tokio::time::timeout(PIPE_POLL_INTERVAL, sender.ready(Interest::WRITABLE | Interest::ERROR)).await;
            // A full pipe is not ready.
            Ok(ready.is_ok_and(|ready| ready.is_ok_and(|ready| ready.is_write_closed() || ready.is_error())))
        })
    };
    !closed().unwrap_or_default()
}

fn check_file(examined: &ExaminedProcess, path: &std::path::Path) -> CheckResult {
    let shown = path.display();
    if path.to_string_lossy().ends_with(" (deleted)") {
        return CheckResult::fail(
            NAME,
            format!("the file {shown}: records are written to a file that no one can read"),
            "restart the service; rotate the file with copytruncate (deploy/logrotate)",
        );
    }
    let flags = fs::read_to_string(examined.file("fdinfo/2")).unwrap_or_default();
    let flags = flags.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    if flags.is_some_and(|flags| flags & OFlags::APPEND.bits() == 0) {
        return CheckResult::warn(
            NAME,
            format!("the file {shown}, not opened for appending: after a rotation it begins with a gap of zero bytes"),
            "open it with 2>> or StandardError=append:",
        );
    }
    CheckResult::ok(NAME, format!("the file {shown}, opened for appending"))
}
