//! A custom event sink, which writes events as JSON lines to a file. It needs neither Sentry nor a DSN.
//!
//! `cargo run -p cyanotype-telemetry --example custom_sink -- events.jsonl`

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cyanotype_settings::Loader;
use cyanotype_telemetry::panic::Panics;
use cyanotype_telemetry::record::Event;
use cyanotype_telemetry::{EventSink, Hooks, Kind, Losses, Settings, SinkScope, Sinks, capture_exception};

struct EventFile {
    file: File,
    lost: AtomicU64,
}

impl EventSink for EventFile {
    // Usually called on the thread that resolves stack traces, but on the reporting thread if the queue of the resolving thread
    // is full or closed: it may wait for the disk, but not for long.
    fn send(&self, event: &Event, _: Option<&SinkScope>) {
        let line = serde_json::to_string(event).map_err(io::Error::from);
        if line.and_then(|line| writeln!(&self.file, "{line}")).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    // The pipeline counts these in a record of loss on stderr.
    fn flush(&self, _: Instant) -> Losses {
        match self.lost.swap(0, Ordering::Relaxed) {
            0 => Losses::none(),
            lost => Losses(vec![(Kind::Exception, lost)]),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "events.jsonl".into());
    let sink = EventFile { file: File::options().create(true).append(true).open(path)?, lost: AtomicU64::new(0) };

    let settings = Loader::<Settings>::new("config").process_environment().load()?;
    let sinks = Sinks::stderr(&settings).event(Arc::new(sink));
    let pipeline = cyanotype_telemetry::start(&settings, Hooks::default(), sinks, Panics::All);

    if let Err(error) = "twelve".parse::<u32>() {
        capture_exception(&error);
    }
    pipeline.finish(Instant::now() + Duration::from_secs(3));
    Ok(())
}
