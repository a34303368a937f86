//! What a task answers goes to stdout, and why it could not to stderr.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::paint;

/// Says why a task could not be done; its status is 1 then.
pub(crate) fn exit_code(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // There is nowhere left to say that this failed.
            let _ = writeln!(io::stderr().lock(), "{} {}", paint::red("error:"), reason.trim_end());
            ExitCode::FAILURE
        }
    }
}

/// Writes an answer, or a part of it.
pub(crate) fn answer(text: &str) -> Result<(), String> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        // A reader who has seen enough may close it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("cannot write to stdout: {error}")),
    }
}
