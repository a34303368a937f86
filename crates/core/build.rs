//! Rebuilds when a migration is added: the macro that embeds them tracks only files that existed at the last build.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
