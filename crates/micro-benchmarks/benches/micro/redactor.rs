//! The redactor, in bytes per second.

use cyanotype_redact::{Redactor, Syntax};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use micro_benchmarks as bodies;

const SIZES: [usize; 3] = [500, 8_000, 64_000];

fn redact(bencher: Bencher<'_, '_>, body: &str, limit: usize) {
    let redactor = Redactor::default();
    bencher
        .counter(BytesCount::of_str(body))
        .bench(|| redactor.content(black_box(body.as_bytes()), Syntax::Json, limit, true));
}

#[divan::bench(args = SIZES)]
fn clean(bencher: Bencher<'_, '_>, bytes: usize) {
    redact(bencher, &bodies::clean(bytes), usize::MAX);
}

#[divan::bench(args = SIZES)]
fn order(bencher: Bencher<'_, '_>, bytes: usize) {
    redact(bencher, &bodies::order(bytes), usize::MAX);
}

#[divan::bench(args = SIZES)]
fn parcel(bencher: Bencher<'_, '_>, bytes: usize) {
    redact(bencher, &bodies::parcel(bytes), usize::MAX);
}

#[divan::bench(args = SIZES)]
fn secret(bencher: Bencher<'_, '_>, bytes: usize) {
    redact(bencher, &bodies::secret(bytes), usize::MAX);
}

/// Cut to the default of `log.response.max_bytes`, like a response.
#[divan::bench(args = SIZES)]
fn secret_cut(bencher: Bencher<'_, '_>, bytes: usize) {
    redact(bencher, &bodies::secret(bytes), 8192);
}

#[divan::bench]
fn query(bencher: Bencher<'_, '_>) {
    let redactor = Redactor::default();
    bencher.bench(|| redactor.query(black_box("page=2&per_page=50&sort=created_at&token=abcdef")));
}
