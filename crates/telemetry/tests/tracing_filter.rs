//! `tracing`'s filters follow the effective policy. A separate test binary, because the subscriber is global to the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_settings::Loader;
use cyanotype_telemetry::effective::{LiveValues, Override, OverrideScope, Source};
use cyanotype_telemetry::memory::MemorySink;
use cyanotype_telemetry::panic::Panics;
use cyanotype_telemetry::{Hooks, Pipeline, Settings, Sinks};
use jiff::Timestamp;
use serde_json::json;
use tracing::level_filters::LevelFilter;

fn set_level(pipeline: &Pipeline, scope: OverrideScope, level: &str) {
    let set = json!({"log.level": level}).as_object().cloned().expect("an object");
    let new = Override {
        id: "test".into(),
        set: LiveValues::parse(&set).expect("valid values"),
        scope,
        set_at: Timestamp::now(),
        until: Timestamp::now(),
        deadline: Instant::now() + Duration::from_secs(600),
        reason: "a test".into(),
        by: "a test".into(),
        source: Source::Http,
        fleet: false,
    };
    pipeline.set_override(&new, None).expect("a valid override");
}

/// A call site in a module of a service.
fn log_line() {
    tracing::debug!(target: "shop::stock", "counts");
}

#[test]
fn call_sites_follow_each_policy_change() {
    let settings = Loader::<Settings>::new("/no/config/here").load().expect("the defaults are valid").sections;
    let memory = MemorySink::default();
    let sinks = Sinks::none().record(Arc::new(memory.clone()));
    let pipeline = cyanotype_telemetry::start(&settings, Hooks::default(), sinks, Panics::All);
    let written = || {
        log_line();
        let (records, _) = memory.take();
        records.iter().filter(|record| record["message"] == "counts").count()
    };
    let is_enabled = || tracing::enabled!(target: "shop::stock", tracing::Level::DEBUG);

    assert_eq!((LevelFilter::current(), is_enabled(), written()), (LevelFilter::INFO, false, 0));
    set_level(pipeline, OverrideScope::Process, "debug");
    assert_eq!((LevelFilter::current(), is_enabled(), written()), (LevelFilter::DEBUG, true, 1));
    set_level(pipeline, OverrideScope::Module("shop".into()), "trace");
    assert_eq!((LevelFilter::current(), is_enabled(), written()), (LevelFilter::TRACE, true, 1));
    set_level(pipeline, OverrideScope::Module("other".into()), "debug");
    assert_eq!((LevelFilter::current(), written()), (LevelFilter::DEBUG, 0), "another module's");
    set_level(pipeline, OverrideScope::Process, "critical");
    assert_eq!((LevelFilter::current(), is_enabled(), written()), (LevelFilter::ERROR, false, 0));
    pipeline.clear_override("test", None, "a test", Source::Http, "").expect("an existing override");
    assert_eq!((LevelFilter::current(), is_enabled(), written()), (LevelFilter::INFO, false, 0));
}
