//! Resource usage of a process on Linux: CPU time, writes and memory.

use std::fs;
use std::time::Duration;

/// The usage of a process since its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time of all threads, with a resolution of 10 ms.
    pub cpu: Duration,
    /// Calls of `write` and similar, but not `send`, which most servers use on sockets.
    pub writes: u64,
    /// Peak resident memory, in KiB.
    pub peak_kib: u64,
}

impl Usage {
    /// Reads `/proc`.
    ///
    /// # Errors
    /// The process does not exist, or belongs to another user.
    pub fn of(pid: u32) -> Result<Self, String> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))
        };
        let (stat, io, status) = (read("stat")?, read("io")?, read("status")?);
        // The name in parentheses may contain any character; user and system time are the 12th and 13th field after it.
        let ticks =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>));
        let ticks = ticks.and_then(|ticks| ticks.sum::<Result<u64, _>>().ok());
        let ticks = ticks.ok_or_else(|| format!("/proc/{pid}/stat is not as expected: {stat}"))?;
        Ok(Self {
            cpu: Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100),
            writes: field(&io, "syscw:").ok_or_else(|| format!("/proc/{pid}/io has no syscw"))?,
            // A zombie process has none.
            peak_kib: field(&status, "VmHWM:").unwrap_or(0),
        })
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
