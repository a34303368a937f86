//! A running server, stopped on drop.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use test_harness::peers::supervisor::Supervisor;
use test_harness::peers::supervisor_conf;
use test_harness::process_guard::{self, ProcessGuard};
use test_harness::scratch::Scratch;

use super::drain::{self, Tail};
use super::program::Program;

/// Long enough for a server under valgrind.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);
/// The name of the program in supervisord.
const NAME: &str = "bench";

/// A running server.
pub enum RunningServer {
    // The directory comes last, because fields are dropped in declaration order.
    Standalone { guard: ProcessGuard, tail: Tail, _scratch: Scratch },
    Supervised { supervisor: Supervisor, log: PathBuf, _scratch: Scratch },
}

impl RunningServer {
    /// Starts it as a child of this process, which drains its stderr.
    pub fn standalone(program: Program) -> Result<Self, String> {
        let (reader, writer) = io::pipe().map_err(|error| format!("cannot create a pipe: {error}"))?;
        let (name, args) = program.argv.split_first().expect("a program has a name");
        let mut command = process_guard::command(name);
        let scratch = Scratch::new("bench");
        command.args(args).envs(program.env).current_dir(scratch.path()).stdout(Stdio::null()).stderr(writer);
        Ok(Self::Standalone { guard: ProcessGuard::spawn(command), tail: drain::drain(reader), _scratch: scratch })
    }

    /// Starts it under supervisord, which writes its stderr to a file.
    pub fn supervised(program: &Program) -> Self {
        let scratch = Scratch::new("bench");
        let log = scratch.join("bench.log");
        let words: Vec<String> = program.argv.iter().map(|word| word.to_string_lossy().replace('%', "%%")).collect();
        let mut supervised = supervisor_conf::Program::new(NAME, &words.join(" "));
        supervised.stdout_logfile = Some(log.clone());
        // As in deploy/supervisor, except for the number of backups.
        supervised.extra =
            ["startsecs=0", "stdout_logfile_maxbytes=50MB", "stdout_logfile_backups=1"].map(str::to_owned).to_vec();
        let supervisor = Supervisor::start(scratch.path(), &supervisor_conf::conf(&[supervised]));
        supervisor.wait_for(NAME, "RUNNING");
        Self::Supervised { supervisor, log, _scratch: scratch }
    }

    /// Waits for the first response, and returns the length of its body.
    pub fn wait_ready(&mut self, port: u16, path: &str) -> Result<usize, String> {
        self.wait(&format!("response from 127.0.0.1:{port}{path}"), || first_response(port, path))
    }

    /// Waits until `ready` returns a value, as long as the server runs.
    pub fn wait<T>(&mut self, what: &str, ready: impl Fn() -> Option<T>) -> Result<T, String> {
        let began = Instant::now();
        loop {
            if let Some(found) = ready() {
                return Ok(found);
            }
            let ended = match self {
                Self::Standalone { guard, .. } => {
                    guard.exited().map(|status| format!("the server exited with {status}"))
                }
                Self::Supervised { .. } => None,
            };
            let late = (began.elapsed() > START_LIMIT).then(|| format!("no {what} after {START_LIMIT:?}"));
            if let Some(reason) = ended.or(late) {
                return Err(format!("{reason}; its stderr ends with\n{}", self.stderr_tail()));
            }
            thread::sleep(PAUSE);
        }
    }

    /// The end of its output on stderr.
    pub fn stderr_tail(&self) -> String {
        match self {
            Self::Standalone { tail, .. } => tail.text(),
            Self::Supervised { log, .. } => {
                let mut text = String::new();
                let _ = File::open(log).and_then(|mut file| file.read_to_string(&mut text));
                let at = text.char_indices().rev().nth(2_000).map_or(0, |(at, _)| at);
                text[at..].to_owned()
            }
        }
    }

    /// The server's processes: gunicorn has a master and a worker process.
    pub fn servers(&self) -> Vec<u32> {
        match self {
            Self::Standalone { guard, .. } => guard.family(),
            Self::Supervised { supervisor, .. } => vec![supervisor.program_pid(NAME)],
        }
    }

    /// Terminates it and waits until it has exited.
    pub fn stop(self) {
        match self {
            Self::Standalone { mut guard, .. } => {
                guard.signal("TERM");
                guard.wait_exit(STOP_LIMIT);
            }
            Self::Supervised { mut supervisor, .. } => {
                supervisor.stop();
            }
        }
    }

    /// The process of supervisord, if that reads its stderr.
    pub fn supervisord(&self) -> Option<u32> {
        match self {
            Self::Standalone { .. } => None,
            Self::Supervised { supervisor, .. } => Some(supervisor.pid()),
        }
    }
}

/// The length of the body, once there is a response.
fn first_response(port: u16, path: &str) -> Option<usize> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").ok()?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).ok()?;
    let head = response.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    response.starts_with(b"HTTP/1.1 200").then_some(response.len() - head)
}
