//! The memory of the flood limit. This is the only test of its process, so that no other one's memory is measured.

use cyanotype_settings::Loader;
use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::{Hooks, Kind, Level, Pipeline, Report, Settings, Sinks};

/// The memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number is the resident size") * 4096
}

/// 24 MB of messages. When their texts were the keys of windows, 480 MB of them took 458 MB; as hashes they take less than 1 MB.
#[test]
fn different_long_messages_take_little_memory() {
    let settings = Loader::<Settings>::new("/no/config/here").load().expect("the defaults are valid").sections;
    let pipeline = Pipeline::new(&settings, Hooks::default(), Sinks::none());
    let long = " long".repeat(40_000);
    let fail = |n: usize| {
        // Letters, because messages that differ in a number are of one failure.
        let name: String = n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        let failure = Failure::from_message("Broken", name + &long);
        pipeline.report(Report {
            failure: Some(failure),
            ..Report::new(Kind::Line, Level::Error, "test", "broken".into())
        });
    };
    fail(0);
    let before = resident();
    (1..=120).for_each(fail);
    let grown = resident().saturating_sub(before) >> 20;
    println!("grew by {grown} MB");
    assert!(grown < 5, "it grew by {grown} MB");
}
