//! Measured figures: printed on stderr.

use std::fs;
use std::io::Write;

/// Prints a figure past the test runner's output capture.
pub fn print(figure: &str) {
    // A failure to print a figure must not fail a test.
    let _ = writeln!(std::io::stderr(), "figure: {figure}");
}

/// The resident memory of a process and its peak, in MiB.
#[track_caller]
pub fn memory(pid: u32) -> (f64, f64) {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {path}: {e}"));
    let field = |name: &str| {
        let line =
            status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {path}"));
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_else(|e| panic!("{name}: {e}"));
        kib / 1024.0
    };
    (field("VmRSS:"), field("VmHWM:"))
}
