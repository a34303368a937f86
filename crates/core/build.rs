//! Rebuilds the crate when a migration is added: `embed_migrations!` tracks only the files that existed at the last build.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
