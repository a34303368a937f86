//! Output of tasks: results to stdout, errors to stderr.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::paint;

/// Prints the error of a failed task; its exit status is then 1.
pub(crate) fn exit_code(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // A failure to write to stderr cannot be reported.
            let _ = writeln!(io::stderr().lock(), "{} {}", paint::red("error:"), reason.trim_end());
            ExitCode::FAILURE
        }
    }
}

/// Prints a result, or a part of it.
pub(crate) fn answer(text: &str) -> Result<(), String> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        // The reader, such as `head`, may close the pipe early.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("cannot write to stdout: {error}")),
    }
}
