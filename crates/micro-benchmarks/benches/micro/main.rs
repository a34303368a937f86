//! What the parts cost that every request goes through: `cargo bench -p micro-benchmarks`.

mod escaper;
mod policy;
mod redactor;

fn main() {
    divan::main();
}
