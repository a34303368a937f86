//! Figures that a test has measured, on stderr.

use std::fs;
use std::io::Write;

/// Prints a figure where the test runner does not capture it.
pub fn print(figure: &str) {
    // A figure that nobody can read fails no test.
    let _ = writeln!(std::io::stderr(), "figure: {figure}");
}

/// What a process holds in memory now, and what it held at most, in MiB.
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
