//! The tables: one with all rows for the terminal, and a summary for docs/BENCHMARKS.md.

use std::fmt::Write;

use super::measure::Soak;
use super::plan::{CONNECTIONS, Content, NO_LINE, ONE_LINE, ORDER, Scenario, Sink, TEN_LINES, of_connections};
use super::row::Row;
use super::server::Server;

/// The path of the chart, which the README shows.
pub const CHART: &str = "docs/bench.svg";

/// All rows, aligned, and derived figures.
pub fn text(rows: &[Row], soak: Option<&Soak>) -> String {
    let heading = [
        "SERVER",
        "BODY",
        "CONNECTIONS",
        "STDERR",
        "REQUESTS/S",
        "OF BARE",
        "CPU",
        "P50",
        "P99",
        "PEAK",
        "WRITES",
        "SUPERVISORD",
        "BUSY",
    ];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(|row| {
        let scenario = &row.scenario;
        vec![
            scenario.server.name().to_owned(),
            scenario.content.about.to_owned(),
            scenario.connections.to_string(),
            scenario.sink.name().to_owned(),
            format!("{:.0}", row.requests_per_s),
            share(row),
            format!("{:.1} µs", row.cpu_us_per_request),
            duration(row.p50_us),
            duration(row.p99_us),
            format!("{:.1} MiB", row.peak_mib),
            format!("{:.3}", row.writes_per_request),
            row.supervisord_cpu_ms_per_1000.map_or_else(|| "-".into(), |ms| format!("{ms:.2} ms/1000")),
            format!("{:.0} %", row.server_busy * 100.0),
        ]
    }));
    let mut text = columns(&table, &[0, 1, 3]);
    text.extend(soak.map(|soak| {
        let Soak { few_mib, many_mib } = soak;
        format!("\n\nboth: {few_mib:.1} MiB resident after 100,000 requests, {many_mib:.1} MiB after one million")
    }));
    text.extend(lines(rows).map(|times| format!("\n\nboth: ten log lines cost {times:.1} times as much as one")));
    text
}

/// The cost of ten log lines in a request, relative to one.
fn lines(rows: &[Row]) -> Option<f64> {
    let cost = |content: Content| {
        let row = rows.iter().find(|row| row.scenario.content == content)?;
        Some(row.cpu_us_per_request)
    };
    let none = cost(NO_LINE)?;
    Some((cost(TEN_LINES)? - none) / (cost(ONE_LINE)? - none))
}

/// A comparison of the servers, and one of other bodies and connections.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| server | requests/s | of bare | CPU per request | p99 | memory |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in compared(rows) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} µs | {} | {:.0} MiB |",
            row.scenario.server.about(),
            grouped(row.requests_per_s),
            share(row),
            row.cpu_us_per_request,
            duration(row.p99_us),
            row.peak_mib
        );
    }
    text.push_str(
        "\n| requests/s, relative to bare | `off` | `stderr` | `both` | stock |\n| --- | ---: | ---: | ---: | ---: |\n",
    );
    for (content, connections, sink) in others(rows) {
        let cells = [Server::Off, Server::Stderr, Server::Both, Server::Stock].map(|server| {
            let scenario = Scenario { server, content, connections, sink };
            rows.iter().find(|row| row.scenario == scenario).map_or_else(|| "-".to_owned(), share)
        });
        let into = if sink == Sink::Supervisord { ", into supervisord" } else { "" };
        let _ = writeln!(text, "| {}, {}{into} | {} |", content.about, of_connections(connections), cells.join(" | "));
    }
    let _ = write!(text, "\n{}\n", circumstances());
    for row in rows {
        if let Some(ms) = row.supervisord_cpu_ms_per_1000 {
            let about = row.scenario.server.about();
            let short = about.split(':').next().unwrap_or(about);
            let _ = writeln!(text, "supervisord's own CPU, for 1,000 requests of {short}: {ms:.1} ms.");
        }
    }
    text
}

/// The chart and the sentence of the README.
pub fn summary(rows: &[Row]) -> String {
    let compared = compared(rows);
    let of_bare = |server| {
        compared.iter().find(|row| row.scenario.server == server).map_or_else(|| "-".to_owned(), |row| share(row))
    };
    format!(
        "![Requests per second of each server, relative to bare actix-web]({CHART})\n\n\
         With Sentry enabled and response records, including bodies, written to stderr, Cyanotype serves {} of the requests per second of\n\
         bare actix-web; actix's `Logger` alone serves {}, sentry-actix with tracing-actix-web and tracing-appender {}.\n",
        of_bare(Server::Both),
        of_bare(Server::Logger),
        of_bare(Server::Stock),
    )
}

/// The rows that are compared, with an order on the usual number of connections; the fastest first.
pub fn compared(rows: &[Row]) -> Vec<&Row> {
    let mut rows: Vec<&Row> = rows
        .iter()
        .filter(|row| {
            let scenario = &row.scenario;
            (scenario.content, scenario.connections, scenario.sink) == (ORDER, CONNECTIONS, Sink::Pipe)
        })
        .collect();
    rows.sort_by(|a, b| b.share_of_bare.unwrap_or(0.0).total_cmp(&a.share_of_bare.unwrap_or(0.0)));
    rows
}

/// The other scenarios in which the service is compared with the stock stack.
fn others(rows: &[Row]) -> Vec<(Content, usize, Sink)> {
    let stock = rows.iter().map(|row| row.scenario).filter(|scenario| scenario.server == Server::Stock);
    let others = stock.map(|scenario| (scenario.content, scenario.connections, scenario.sink));
    others.filter(|other| *other != (ORDER, CONNECTIONS, Sink::Pipe)).collect()
}

/// The conditions of the measurement.
fn circumstances() -> String {
    let model = cpu_model();
    format!(
        "Measured with `cargo xtask bench`, with the server on one core of {model} and the load generator on another; without \
         compression and security headers, which the other servers lack."
    )
}

pub fn cpu_model() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or("an unknown CPU", |(_, model)| model.trim()).to_owned()
}

fn share(row: &Row) -> String {
    row.share_of_bare.map_or_else(|| "-".into(), percent)
}

pub fn percent(share: f64) -> String {
    let digits = usize::from(share < 0.1);
    format!("{:.digits$} %", share * 100.0)
}

pub fn duration(us: f64) -> String {
    if us < 1_000.0 { format!("{us:.0} µs") } else { format!("{:.1} ms", us / 1_000.0) }
}

/// A number with commas as thousands separators.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An aligned table: the columns in `words` to the left, all others to the right.
pub fn columns(table: &[Vec<String>], words: &[usize]) -> String {
    let widths: Vec<usize> = (0..table.first().map_or(0, Vec::len))
        .map(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in table {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let space = " ".repeat(width - cell.chars().count());
            let padded = if words.contains(&at) { format!("{cell}{space}") } else { format!("{space}{cell}") };
            line.push_str(&padded);
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::super::measure::Sample;
    use super::super::{plan, row};
    use super::*;

    fn rows() -> Vec<Row> {
        let plan = plan::full();
        let samples = plan.iter().map(|scenario| {
            let cost = 1.0 + scenario.server as u8 as f64;
            vec![Sample {
                body_bytes: 460,
                requests: 100_000.0 / cost,
                seconds: 1.0,
                errors: 0,
                p50_us: 10.0,
                p99_us: 1234.0,
                server_cpu_s: 1.0,
                supervisord_cpu_s: (scenario.sink == Sink::Supervisord).then_some(0.1),
                writes: 0.0,
                peak_mib: 5.0,
            }]
        });
        row::rows(&plan, &samples.collect::<Vec<_>>())
    }

    #[test]
    fn the_document_lists_every_server_and_scenario() {
        let text = markdown(&rows());
        for line in [
            "| bare actix-web | 100,000 | 100 % | 10.0 µs | 1.2 ms | 5 MiB |",
            "| Cyanotype, `off` | 50,000 | 50 % | 20.0 µs | 1.2 ms | 5 MiB |",
            "| Flask, gunicorn, sentry-sdk | 7,692 | 7.7 % | 130.0 µs | 1.2 ms | 5 MiB |",
            "| 8 KB of secrets, 32 connections | 50 % | 33 % | 20 % | 9.1 % |",
            "| 0.5 KB, 1 connection | 50 % | 33 % | 20 % | 9.1 % |",
            "| 0.5 KB, 32 connections, into supervisord | - | - | 20 % | 9.1 % |",
            "supervisord's own CPU, for 1,000 requests of the stock stack: 11.0 ms.",
        ] {
            assert!(text.lines().any(|written| written == line), "{line}\n{text}");
        }
        let chart = super::super::chart::svg(&rows());
        assert_eq!(chart.matches("<rect ").count(), compared(&rows()).len());
    }

    #[test]
    fn figures_are_human_readable() {
        assert_eq!([grouped(7.0), grouped(1234.4), grouped(1_234_567.0)], ["7", "1,234", "1,234,567"]);
        assert_eq!([percent(0.7812), percent(0.0123)], ["78 %", "1.2 %"]);
        assert_eq!([duration(84.4), duration(1234.0)], ["84 µs", "1.2 ms"]);
    }
}
