//! The policy.

use cyanotype::settings::Loader;
use cyanotype::{Kind, Level};
use divan::{Bencher, black_box};

#[divan::bench]
fn destinations(bencher: Bencher<'_, '_>) {
    let settings = Loader::new("/nonexistent").load().expect("the defaults are good");
    let policy = cyanotype::policy(&settings);
    bencher.bench(|| black_box(&policy).destinations(black_box(Kind::Response), black_box(Level::Info)));
}
