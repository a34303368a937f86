//! The contract of the flags, with a file in flagd's format and with a peer that speaks OFREP.

mod file;
mod ofrep;
mod peer;

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::{FlagSource, Flags, Notice, Process, Subject, Values};

/// A busy machine may take this long.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(source: FlagSource) -> (Flags, Receiver<Notice>) {
    let (sender, notices) = mpsc::channel();
    let process = Process {
        service: "shop".into(),
        instance: "web-1".into(),
        environment: "prod".into(),
        release: "shop@1.4.0".into(),
    };
    let flags = Flags::start(source, process, move |notice| {
        // A test may have ended.
        let _ = sender.send(notice);
    });
    (flags, notices)
}

fn of(caller: &str) -> Subject<'_> {
    Subject { blueprint: Some("orders"), route: Some("GET /orders/{id}"), caller: Some(caller) }
}

/// Evaluates until the values are these: a busy machine makes an evaluation slow, which counts as a source that is away.
async fn comes_to(flags: &Flags, subject: &Subject<'_>, expected: Values) {
    let began = Instant::now();
    loop {
        let values = flags.evaluate(subject).await;
        if values == expected {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{values:?}, not {expected:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The first notice that is this one, whatever other notices come before.
fn notice(notices: &Receiver<Notice>, is: impl Fn(&Notice) -> bool) -> Notice {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let notice = notices.recv_timeout(left).expect("it is noticed");
        if is(&notice) {
            return notice;
        }
    }
}
