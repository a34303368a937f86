//! `cargo blueprint`: from a name to a served route and back to the same tree, and all that it refuses. On copies of this
//! workspace.

mod copy;
mod owned;
mod refusals;
mod served;

use std::process::Output;

/// What a command wrote to stdout, when it did what it was asked for.
#[track_caller]
fn done(output: Output) -> String {
    let said = String::from_utf8(output.stdout).expect("answers are UTF-8");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
