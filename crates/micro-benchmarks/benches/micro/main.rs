//! Micro-benchmarks of code that every request executes: `cargo bench -p micro-benchmarks`.

mod escaper;
mod policy;
mod redactor;

fn main() {
    divan::main();
}
