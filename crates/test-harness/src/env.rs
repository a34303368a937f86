//! The base environment of the processes that tests start.

use std::env;
use std::ffi::OsString;

/// The variables that every process inherits. All others are omitted, so that settings of the machine that runs the tests
/// cannot change their results.
pub fn minimal() -> impl Iterator<Item = (&'static str, OsString)> {
    ["PATH", "HOME", "TMPDIR"].into_iter().filter_map(|key| Some((key, env::var_os(key)?)))
}
