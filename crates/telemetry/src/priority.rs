//! Priorities of syslog as a prefix of lines, such as `<3>`, which journald reads and removes.

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use crate::level::Level;
use crate::settings::PriorityPrefix;

/// The prefix of a line of this level.
pub(crate) const fn prefix(level: Level) -> &'static str {
    match level {
        Level::Critical => "<2>",
        Level::Error => "<3>",
        Level::Warning => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

/// Whether lines have the prefix.
pub(crate) fn is_on(setting: PriorityPrefix) -> bool {
    match setting {
        PriorityPrefix::Auto => is_stderr_journal(),
        PriorityPrefix::Always => true,
        PriorityPrefix::Never => false,
    }
}

/// Whether stderr is the stream that systemd connected to the journal, and not a file or a pipe that replaced it.
fn is_stderr_journal() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else { return false };
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from).and_then(|file| file.metadata());
    stderr.is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}
