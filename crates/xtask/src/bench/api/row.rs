//! The results of a scenario over all rounds.

use serde_json::{Value, json};

use super::super::measure::Sample;
use super::super::plan::CONNECTIONS;
use super::super::row::{BUSY, median};
use super::plan::{Database, Scenario};

/// Medians over the rounds.
pub struct Row {
    pub scenario: Scenario,
    pub body_bytes: usize,
    pub requests_per_s: f64,
    pub cpu_us_per_request: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub peak_mib: f64,
    /// The total of all rounds.
    pub errors: u64,
    /// The share of its core that the server used.
    pub server_busy: f64,
}

impl Row {
    pub fn of(scenario: &Scenario, samples: &[Sample]) -> Self {
        let median_of = |figure: &dyn Fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
        Self {
            scenario: *scenario,
            body_bytes: samples.first().map_or(0, |sample| sample.body_bytes),
            requests_per_s: median_of(&Sample::requests_per_s),
            cpu_us_per_request: median_of(&|sample| sample.server_cpu_s * 1e6 / sample.requests),
            p50_us: median_of(&|sample| sample.p50_us),
            p99_us: median_of(&|sample| sample.p99_us),
            peak_mib: median_of(&|sample| sample.peak_mib),
            errors: samples.iter().map(|sample| sample.errors).sum(),
            server_busy: median_of(&|sample| sample.server_cpu_s / sample.seconds),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "api": self.scenario.server.name(),
            "database": self.scenario.database.name(),
            "operation": self.scenario.operation.name(),
            "body_bytes": self.body_bytes,
            "connections": CONNECTIONS,
            "requests_per_s": self.requests_per_s,
            "cpu_us_per_request": self.cpu_us_per_request,
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "peak_mib": self.peak_mib,
            "errors": self.errors,
            "server_busy": self.server_busy,
        })
    }
}

/// Warnings about unreliable figures.
pub fn warnings(rows: &[Row]) -> Vec<String> {
    let mut warnings = Vec::new();
    for row in rows {
        if row.errors > 0 {
            warnings.push(format!("{}: {} responses were wrong or missing", row.scenario, row.errors));
        }
        let same = rows.iter().find(|other| other.scenario.operation == row.scenario.operation);
        if let Some(other) = same.filter(|other| other.body_bytes != row.body_bytes) {
            let (bytes, others) = (row.body_bytes, other.body_bytes);
            warnings.push(format!(
                "{}: its responses have {bytes} bytes, those of {} {others}",
                row.scenario, other.scenario
            ));
        }
    }
    // With PostgreSQL, the database may be the bottleneck.
    let alone = || rows.iter().filter(|row| row.scenario.database == Database::Sqlite);
    let idle = alone().filter(|row| row.server_busy < BUSY);
    if let Some(worst) = idle.clone().min_by(|a, b| a.server_busy.total_cmp(&b.server_busy)) {
        warnings.push(format!(
            "in {} of {} rows on SQLite the server used less than {:.0} % of its core, the least ({:.0} %) in {}: if \
             other processes run on this machine, the requests/s are too low, and the CPU somewhat too high",
            idle.count(),
            alone().count(),
            BUSY * 100.0,
            worst.server_busy * 100.0,
            worst.scenario
        ));
    }
    warnings
}
