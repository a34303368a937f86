//! The results of a scenario over all rounds.

use serde_json::{Value, json};

use super::measure::Sample;
use super::plan::{Scenario, Sink};
use super::server::Server;

/// With several connections a server should use its full core. Below this share, the load generator or another process
/// may have limited it.
pub const BUSY: f64 = 0.9;

/// Medians over the rounds.
pub struct Row {
    pub scenario: Scenario,
    pub body_bytes: usize,
    /// Requests per second, relative to bare actix-web in the same rounds.
    pub share_of_bare: Option<f64>,
    pub requests_per_s: f64,
    pub cpu_us_per_request: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub peak_mib: f64,
    pub writes_per_request: f64,
    pub supervisord_cpu_ms_per_1000: Option<f64>,
    /// The total of all rounds.
    pub errors: u64,
    /// The share of its core that the server used.
    pub server_busy: f64,
}

pub fn rows(scenarios: &[Scenario], samples: &[Vec<Sample>]) -> Vec<Row> {
    let bare_of = |scenario: &Scenario| {
        let bare = Scenario { server: Server::Bare, sink: Sink::Pipe, ..*scenario };
        scenarios.iter().position(|other| *other == bare).map(|at| samples[at].as_slice())
    };
    scenarios.iter().zip(samples).map(|(scenario, samples)| Row::of(scenario, samples, bare_of(scenario))).collect()
}

impl Row {
    fn of(scenario: &Scenario, samples: &[Sample], bare: Option<&[Sample]>) -> Self {
        let median_of = |figure: &dyn Fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
        let share = |bare: &[Sample]| {
            median(samples.iter().zip(bare).map(|(own, bare)| own.requests_per_s() / bare.requests_per_s()).collect())
        };
        let supervisord = |sample: &Sample| sample.supervisord_cpu_s.unwrap_or(0.0) * 1e6 / sample.requests;
        Self {
            scenario: *scenario,
            body_bytes: samples.first().map_or(0, |sample| sample.body_bytes),
            share_of_bare: bare.map(share),
            requests_per_s: median_of(&Sample::requests_per_s),
            cpu_us_per_request: median_of(&|sample| sample.server_cpu_s * 1e6 / sample.requests),
            p50_us: median_of(&|sample| sample.p50_us),
            p99_us: median_of(&|sample| sample.p99_us),
            peak_mib: median_of(&|sample| sample.peak_mib),
            writes_per_request: median_of(&|sample| sample.writes / sample.requests - scenario.server.other_writes()),
            supervisord_cpu_ms_per_1000: (scenario.sink == Sink::Supervisord).then(|| median_of(&supervisord)),
            errors: samples.iter().map(|sample| sample.errors).sum(),
            server_busy: median_of(&|sample| sample.server_cpu_s / sample.seconds),
        }
    }

    /// Whether the server was not fully loaded.
    fn is_idle(&self) -> bool {
        self.scenario.connections > 1 && self.server_busy < BUSY
    }

    pub fn json(&self) -> Value {
        json!({
            "server": self.scenario.server.name(),
            "path": self.scenario.content.path,
            "body_bytes": self.body_bytes,
            "connections": self.scenario.connections,
            "sink": self.scenario.sink.name(),
            "share_of_bare": self.share_of_bare,
            "requests_per_s": self.requests_per_s,
            "cpu_us_per_request": self.cpu_us_per_request,
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "peak_mib": self.peak_mib,
            "writes_per_request": self.writes_per_request,
            "supervisord_cpu_ms_per_1000": self.supervisord_cpu_ms_per_1000,
            "errors": self.errors,
            "server_busy": self.server_busy,
        })
    }
}

/// Warnings about unreliable figures.
pub fn warnings(rows: &[Row]) -> Vec<String> {
    let failed = rows.iter().filter(|row| row.errors > 0);
    let mut warnings: Vec<String> =
        failed.map(|row| format!("{}: {} responses were wrong or missing", row.scenario, row.errors)).collect();
    let idle: Vec<&Row> = rows.iter().filter(|row| row.is_idle()).collect();
    if let Some(worst) = idle.iter().min_by(|a, b| a.server_busy.total_cmp(&b.server_busy)) {
        warnings.push(format!(
            "in {} of {} rows the server used less than {:.0} % of its core, the least ({:.0} %) in {}: if other processes \
             run on this machine, rely on the CPU and not on the requests/s",
            idle.len(),
            rows.len(),
            BUSY * 100.0,
            worst.server_busy * 100.0,
            worst.scenario
        ));
    }
    warnings
}

pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        n if n % 2 == 1 => figures[n / 2],
        n => f64::midpoint(figures[n / 2 - 1], figures[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), 3.0);
    }
}
