//! Makes the linker write a build id, by which Sentry finds the debug file. Not every distribution's linker does so by default.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-bins=-Wl,--build-id");
    }
}
