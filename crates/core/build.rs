//! Has a migration that was added noticed: the macro that embeds them knows only of those it has seen.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
