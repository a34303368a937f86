//! The stderr sink, for supervisord, journald or a container runtime to collect. No request waits for it.

mod batches;
mod buffer;
mod queue;
mod writer;

use std::sync::Arc;
use std::time::Instant;

use serde_json::Map;

use crate::effective::Snapshot;
use crate::level::Level;
use crate::lines::Renderer;
use crate::losses::Losses;
use crate::policy::Kind;
use crate::record::{Record, ResponseRecord};
use crate::settings::Settings;
use crate::sink_counts::SinkCounts;
use crate::sinks::{RecordSink, Sinks};
use buffer::with_line;
use queue::Queue;

/// Writes records to the process's stderr on a dedicated thread.
#[derive(Debug)]
pub struct StderrSink {
    renderer: Arc<Renderer>,
    queue: Queue,
}

impl StderrSink {
    /// Starts the writer's thread.
    #[must_use]
    pub fn start(settings: &Settings) -> Self {
        let renderer = Arc::new(Renderer::from_settings(settings));
        let of_losses = Arc::clone(&renderer);
        let loss_line = move |counts: &[(Kind, u64)]| {
            let losses = Losses(counts.to_vec());
            let message = format!("dropped {} records: stderr queue full or write failed", losses.total());
            let mut line = Vec::new();
            of_losses.write(&Record::losses(&losses, message, Map::new()), &mut line);
            line
        };
        Self { renderer, queue: Queue::start(settings.log.stderr.queue_bytes, loss_line) }
    }

    fn push(&self, kind: Kind, level: Level, write: impl FnOnce(&mut Vec<u8>)) {
        with_line(|line| {
            write(line);
            self.queue.push(kind, level, line);
        });
    }
}

impl Sinks {
    /// The process's stderr as the only sink.
    #[must_use]
    pub fn stderr(settings: &Settings) -> Self {
        Self::none().record(Arc::new(StderrSink::start(settings)))
    }
}

impl RecordSink for StderrSink {
    fn write(&self, record: &Record) {
        self.push(record.kind, record.level, |line| self.renderer.write(record, line));
    }

    fn write_response(&self, response: &ResponseRecord<'_>) {
        self.push(Kind::Response, response.level, |line| self.renderer.write_response(response, line));
    }

    fn flush(&self, deadline: Instant) -> Losses {
        Losses(self.queue.finish(deadline))
    }

    fn apply(&self, snapshot: &Arc<Snapshot>) {
        self.queue.set_silent(!snapshot.may_record());
    }

    fn counts(&self) -> Option<SinkCounts> {
        Some(SinkCounts { sink: "stderr", ..self.queue.counts() })
    }
}
