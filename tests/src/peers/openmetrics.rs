//! The parsers of Prometheus' Python client. That for OpenMetrics is strict: it rejects what the specification does not allow.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use serde::Deserialize;
use test_harness::http::Client;
use test_harness::peers::venv;
use test_harness::process_guard::{self, ProcessGuard};
use test_harness::scratch::{self, Scratch};

const PARSE: &str = include_str!("openmetrics/parse.py");
const LIMIT: Duration = Duration::from_secs(60);

/// The metrics of a service.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Metrics(pub Vec<Family>);

/// The samples of one metric.
#[derive(Debug, Clone, Deserialize)]
pub struct Family {
    /// Its name, without the suffix of its type.
    pub name: String,
    /// Its type, such as `counter`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its unit, or nothing.
    pub unit: String,
    /// Its meaning.
    pub help: String,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// A value.
#[derive(Debug, Clone, Deserialize)]
pub struct Sample {
    /// The name with its suffix, such as `_total`.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
    /// The exemplar of a bucket.
    pub exemplar: Option<Exemplar>,
}

/// An example of what a bucket counts.
#[derive(Debug, Clone, Deserialize)]
pub struct Exemplar {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
    /// When it was observed, since the Unix epoch.
    pub timestamp: f64,
}

/// The metrics that a management listener serves now, as OpenMetrics.
///
/// # Panics
/// If they are not valid.
#[track_caller]
pub fn scrape(management: Client) -> Metrics {
    let reply = management.get("/metrics").send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    parse("openmetrics", reply.text())
}

/// Parses metrics in this format, `openmetrics` or `classic`.
///
/// # Panics
/// If they are not valid.
#[track_caller]
pub fn parse(format: &str, text: &str) -> Metrics {
    let scratch = Scratch::new("openmetrics");
    let [script, input, output, errors] = ["parse.py", "input", "output", "errors"].map(|name| scratch.join(name));
    scratch::write(&script, PARSE);
    scratch::write(&input, text);
    let mut command = process_guard::command(venv::openmetrics());
    command.arg(&script).arg(format).arg(&input);
    command.stdout(File::create(&output).expect("a new directory is writable"));
    command.stderr(File::create(&errors).expect("a new directory is writable"));
    let status = ProcessGuard::spawn(command).wait_exit(LIMIT);
    assert!(status.success(), "the parser rejects the metrics: {}\n{text}", scratch::read(&errors));
    serde_json::from_str(&scratch::read(&output)).expect("the script writes JSON")
}

impl Metrics {
    /// The sum of the samples with this name and these labels, among others.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).map(|sample| sample.value).sum()
    }

    /// The samples with this name and these labels, among others.
    pub fn samples(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        let has = |sample: &Sample, (key, value): &(&str, &str)| sample.labels.get(*key).is_some_and(|it| it == value);
        let matches = move |sample: &&Sample| sample.name == name && labels.iter().all(|label| has(sample, label));
        self.0.iter().flat_map(|family| &family.samples).filter(matches)
    }
}
