//! Completions and manual pages. The binary itself writes them, so they have its commands.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{make_empty, output, progress, require_app};

/// Shells, with the names under which their completions are installed.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "app.bash"), ("zsh", "_app"), ("fish", "app.fish")];
pub const COMPLETION_DIRECTORY: &str = "completions";
pub const MANUAL_DIRECTORY: &str = "man";

pub fn make(dist: &Path, date: u64) -> Result<(), String> {
    progress("writing completions and manual pages");
    let app = require_app(dist)?;
    let completions = dist.join(COMPLETION_DIRECTORY);
    make_empty(&completions)?;
    for (shell, name) in COMPLETIONS {
        let mut command = Command::new(&app);
        command.args(["completions", shell]).current_dir(dist);
        let path = completions.join(name);
        fs::write(&path, output(command)?).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    let manual = dist.join(MANUAL_DIRECTORY);
    make_empty(&manual)?;
    let mut command = Command::new(&app);
    // Settings of the working directory could be invalid.
    command.arg("man").arg(&manual).env("SOURCE_DATE_EPOCH", date.to_string()).current_dir(dist);
    output(command).map(drop)
}
