//! The environment that processes of the tests start from.

use std::env;
use std::ffi::OsString;

/// What every process gets of this one's environment. All else is left out, so that no setting of the machine that runs
/// the tests changes what they see.
pub fn minimal() -> impl Iterator<Item = (&'static str, OsString)> {
    ["PATH", "HOME", "TMPDIR"].into_iter().filter_map(|key| Some((key, env::var_os(key)?)))
}
