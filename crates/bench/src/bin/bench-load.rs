//! A load generator: sends requests to one server on persistent connections, and prints the figures as JSON.
//!
//! It has one thread, so that it needs only the core that the server does not use. Each connection has one request in
//! flight.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench::process::Usage;
use clap::Parser;
use hdrhistogram::Histogram;
use mio::{Events, Poll};
use serde_json::{Value, json};

#[path = "bench-load/connection.rs"]
mod connection;
#[path = "bench-load/request.rs"]
mod request;

use connection::{Connection, Expected, Progress};
use request::{Request, RequestSpec};

/// The run is aborted after this many failed requests.
const MAX_ERRORS: u64 = 1_000;
/// The run is aborted after this time without any response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Parser)]
struct Args {
    /// The server's port on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// The path to request
    #[arg(long)]
    path: String,
    #[arg(long, default_value = "GET")]
    method: String,
    /// A header, `name: value`; `{unique}` in it is replaced by a number unique to each request
    #[arg(long = "header")]
    headers: Vec<String>,
    /// The body of each request
    #[arg(long)]
    body: Option<String>,
    /// The expected status of each response
    #[arg(long, default_value_t = 200)]
    status: u16,
    /// The expected length of each response body
    #[arg(long)]
    body_bytes: usize,
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Seconds of warm-up, which are not measured
    #[arg(long, default_value_t = 0.0)]
    warm_up: f64,
    /// Seconds to measure
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Measure exactly this number of requests instead
    #[arg(long, conflicts_with_all = ["warm_up", "seconds"])]
    requests: Option<u64>,
    /// Processes whose CPU time, writes and memory are also reported
    #[arg(long, value_delimiter = ',')]
    watch: Vec<u32>,
}

fn main() -> ExitCode {
    let (text, code) = match run(&Args::parse()) {
        Ok(measured) => (measured.to_string(), ExitCode::SUCCESS),
        Err(reason) => (json!({"error": reason}).to_string(), ExitCode::FAILURE),
    };
    // A caller that has closed stdout does not read the result.
    let _ = writeln!(io::stdout(), "{text}");
    code
}

/// The measurement after the warm-up.
struct Window {
    began: Instant,
    before: Vec<Usage>,
    latencies: Histogram<u64>,
    errors: u64,
}

impl Window {
    fn open(watch: &[u32]) -> Result<Self, String> {
        // Up to a minute in nanoseconds, with three significant digits.
        let latencies = Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(|error| error.to_string())?;
        let before = watch.iter().map(|&pid| Usage::of(pid)).collect::<Result<_, _>>()?;
        Ok(Self { began: Instant::now(), before, latencies, errors: 0 })
    }

    fn close(&self, watch: &[u32]) -> Result<Value, String> {
        let seconds = self.began.elapsed().as_secs_f64();
        let mut watched = Vec::new();
        for (&pid, before) in watch.iter().zip(&self.before) {
            let after = Usage::of(pid)?;
            watched.push(json!({
                "pid": pid,
                "cpu_s": (after.cpu - before.cpu).as_secs_f64(),
                "writes": after.writes - before.writes,
                "peak_kib": after.peak_kib,
            }));
        }
        let micros = |quantile| self.latencies.value_at_quantile(quantile) as f64 / 1000.0;
        Ok(json!({
            "requests": self.latencies.len(),
            "seconds": seconds,
            "errors": self.errors,
            "p50_us": micros(0.5),
            "p99_us": micros(0.99),
            "watched": watched,
        }))
    }
}

fn run(args: &Args) -> Result<Value, String> {
    let failed = |error: io::Error| format!("127.0.0.1:{}{}: {error}", args.port, args.path);
    let mut poll = Poll::new().map_err(failed)?;
    let mut events = Events::with_capacity(1024);
    let mut request = Request::new(&RequestSpec {
        method: &args.method,
        path: &args.path,
        port: args.port,
        headers: &args.headers,
        body: args.body.as_deref(),
    });
    let expected = Expected { status: args.status, body_bytes: args.body_bytes };
    let connect = |poll: &Poll, n: usize| Connection::open(args.port, poll.registry(), n).map_err(failed);
    let mut connections = (0..args.connections).map(|n| connect(&poll, n)).collect::<Result<Vec<_>, _>>()?;

    let warm_until = Instant::now() + Duration::from_secs_f64(args.warm_up);
    let length = Duration::from_secs_f64(args.seconds);
    let mut is_warm = args.requests.is_some() || args.warm_up == 0.0;
    let mut window = Window::open(&args.watch)?;
    // Remaining requests.
    let mut left = args.requests.unwrap_or(u64::MAX);
    let mut in_flight = 0;
    for connection in &mut connections {
        if left > 0 {
            connection.send(request.next()).map_err(failed)?;
            left -= 1;
            in_flight += 1;
        }
    }
    let mut last_event = Instant::now();
    while in_flight > 0 {
        // Busy polling: waking this thread would cost the server CPU time, which a client on another machine would not.
        poll.poll(&mut events, Some(Duration::ZERO)).map_err(failed)?;
        if events.is_empty() {
            if last_event.elapsed() > RESPONSE_TIMEOUT {
                return Err(format!("127.0.0.1:{}{}: no response for {RESPONSE_TIMEOUT:?}", args.port, args.path));
            }
            // Yields to the reader of the server's stderr on the same core.
            std::thread::yield_now();
            continue;
        }
        last_event = Instant::now();
        for event in &events {
            let n = event.token().0;
            let connection = &mut connections[n];
            match connection.receive(expected) {
                Ok(Progress::Waiting) => continue,
                Ok(Progress::Complete(latency)) => window.latencies.saturating_record(latency.as_nanos() as u64),
                Err(error) => {
                    window.errors += 1;
                    if window.errors > MAX_ERRORS {
                        return Err(failed(error));
                    }
                    *connection = connect(&poll, n)?;
                }
            }
            in_flight -= 1;
            if left > 0 {
                connections[n].send(request.next()).map_err(failed)?;
                left -= 1;
                in_flight += 1;
            }
        }
        let now = Instant::now();
        if !is_warm && now >= warm_until {
            is_warm = true;
            window = Window::open(&args.watch)?;
        } else if is_warm && args.requests.is_none() && now >= window.began + length {
            break;
        }
    }
    window.close(&args.watch)
}
