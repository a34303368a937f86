//! What a task answers goes to stdout, and why it could not to stderr.

use std::io::{self, Write};
use std::process::ExitCode;

/// Writes what came of a task; the status is 1 when it could not be done.
pub(crate) fn outcome(outcome: Result<String, String>) -> ExitCode {
    match outcome.and_then(|text| answer(&text).map_err(|error| format!("cannot write to stdout: {error}"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // There is nowhere left to say that this failed.
            let _ = writeln!(io::stderr().lock(), "error: {}", reason.trim_end());
            ExitCode::FAILURE
        }
    }
}

fn answer(text: &str) -> io::Result<()> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        // A reader who has seen enough may close it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
