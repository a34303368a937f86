//! The resources of the process, as the kernel reports them.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use procfs::process::{LimitValue, Process};
use rustix::time::{ClockId, clock_gettime};

/// The resources of the process, at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProcessStatus {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub threads: u64,
    pub open_fds: u64,
    /// `None` if there is no limit.
    pub max_fds: Option<u64>,
    /// Since the Unix epoch.
    pub start_seconds: f64,
}

/// Reads `/proc/self`; `None` if it cannot be read.
pub(super) fn read() -> Option<ProcessStatus> {
    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let max_fds = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit),
        LimitValue::Unlimited => None,
    };
    Some(ProcessStatus {
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        resident_bytes: stat.rss * procfs::page_size(),
        virtual_bytes: stat.vsize,
        threads: stat.num_threads.try_into().unwrap_or(0),
        open_fds: process.fd_count().ok()? as u64,
        max_fds,
        start_seconds: start_seconds(stat.starttime as f64 / ticks),
    })
}

/// The start of this process since the Unix epoch, from its start since boot. Without `/proc/stat`, which a sandbox may hide, and
/// computed once: it must not change when the clock is set.
fn start_seconds(since_boot: f64) -> f64 {
    static START: OnceLock<f64> = OnceLock::new();
    *START.get_or_init(|| {
        let up = clock_gettime(ClockId::Boottime);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        now - (up.tv_sec as f64 + up.tv_nsec as f64 / 1e9 - since_boot)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_process_is_read() {
        let status = read().expect("/proc is mounted");
        assert!(status.resident_bytes > 100_000 && status.virtual_bytes > status.resident_bytes, "{status:?}");
        assert!(status.threads >= 2 && status.open_fds >= 3 && status.max_fds.is_none_or(|max| max >= 3), "{status:?}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs_f64();
        assert!((now - status.start_seconds) > -0.1 && now - status.start_seconds < 3600.0, "{status:?}");
    }
}
