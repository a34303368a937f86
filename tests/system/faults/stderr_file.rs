//! stderr is a file, and its disk is full for some time.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::service::Running;
use system_tests::{figures, scratch, wait};

use super::dropped;
use crate::support::{of_kind, probe, run};

/// Limits the size of the files that the service may write. At the limit a write fails, after a part of it has been written,
/// as it does on a full disk. The limit also raises SIGXFSZ.
fn limit_file_size(service: &Running, bytes: Option<u64>) {
    let limit = bytes.map_or_else(|| "resource.RLIM_INFINITY".to_owned(), |bytes| bytes.to_string());
    let script = format!(
        "import resource; resource.prlimit({}, resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))",
        service.pid
    );
    assert!(Command::new("python3").args(["-c", &script]).status().expect("python3 runs").success());
}

fn size(service: &Running) -> u64 {
    fs::metadata(service.scratch().join("stderr")).expect("it exists").len()
}

#[test]
fn each_record_is_delivered_or_counted_around_a_full_file() {
    let service = probe().start();
    let mut answered = 0;
    let mut request = || {
        run(service.client(), json!([]), Value::Null);
        answered += 1;
    };
    // Between the first byte of a record and its line feed.
    for free in [1, 150, 300, 450] {
        request();
        wait::until("its record", Duration::from_secs(10), || {
            scratch::read(&service.scratch().join("stderr")).ends_with("}\n").then_some(())
        });
        let limit = size(&service) + free;
        limit_file_size(&service, Some(limit));
        while size(&service) < limit {
            request();
        }
        // Longer than the first record is retried; then each request is another attempt to write.
        let full = Instant::now();
        while full.elapsed() < Duration::from_millis(1200) {
            request();
        }
        limit_file_size(&service, None);
        while size(&service) == limit {
            request();
        }
    }
    let stopped = service.stop();
    let (complete, cut): (Vec<&str>, Vec<&str>) =
        stopped.stderr.lines().partition(|line| serde_json::from_str::<Value>(line).is_ok());
    let records: Vec<Value> = complete.iter().map(|line| serde_json::from_str(line).expect("is JSON")).collect();
    let delivered = of_kind(&records, "response").len() as u64;
    let counted = dropped(&records, "response");
    figures::print(&format!(
        "{answered} responses = {delivered} delivered + {counted} counted, {} lines cut",
        cut.len()
    ));
    assert_eq!(delivered + counted, answered);
    assert!(counted > 0, "the file was full for longer than a record is retried");
    assert!(cut.iter().all(|line| line.matches("{\"timestamp\"").count() <= 1), "a cut line ends there: {cut:?}");
    assert_eq!(records.last().expect("records")["message"], "stopped");
}
