//! The escaper, in bytes per second.

use cyanotype_redact::escape;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use micro_benchmarks as bodies;

fn write(bencher: Bencher<'_, '_>, text: &str) {
    let mut line = Vec::with_capacity(2 * text.len());
    bencher.counter(BytesCount::of_str(text)).bench_local(move || {
        line.clear();
        escape::json_string(black_box(text), &mut line);
        black_box(line.len())
    });
}

/// JSON in JSON, with every quote escaped.
#[divan::bench(args = [500, 8_000])]
fn json(bencher: Bencher<'_, '_>, bytes: usize) {
    write(bencher, &bodies::clean(bytes));
}

#[divan::bench]
fn plain(bencher: Bencher<'_, '_>) {
    write(bencher, &"a message without anything to escape ".repeat(20));
}

#[divan::bench]
fn key(bencher: Bencher<'_, '_>) {
    write(bencher, "http.response.header.content");
}

#[divan::bench]
fn not_ascii(bencher: Bencher<'_, '_>) {
    write(bencher, &"Größe, élève, 青写真 ".repeat(20));
}
