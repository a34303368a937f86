//! The tables: one with all rows for the terminal, and a summary for a document.

use std::fmt::Write;

use super::super::plan::CONNECTIONS;
use super::super::report::{columns, cpu_model, duration, grouped};
use super::plan::{Database, Operation, Server};
use super::row::Row;

/// All rows, aligned.
pub fn text(rows: &[Row]) -> String {
    let heading =
        ["API", "DATABASE", "REQUEST", "BODY", "REQUESTS/S", "CPU", "P50", "P99", "PEAK", "BUSY"].map(str::to_owned);
    let mut table = vec![heading.to_vec()];
    table.extend(rows.iter().map(|row| {
        vec![
            row.scenario.server.name().to_owned(),
            row.scenario.database.name().to_owned(),
            row.scenario.operation.name().to_owned(),
            format!("{} B", row.body_bytes),
            format!("{:.0}", row.requests_per_s),
            format!("{:.1} µs", row.cpu_us_per_request),
            duration(row.p50_us),
            duration(row.p99_us),
            format!("{:.1} MiB", row.peak_mib),
            format!("{:.0} %", row.server_busy * 100.0),
        ]
    }));
    columns(&table, &[0, 1, 2])
}

/// A row for each server and database, a column for each request.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from("| CPU per request, requests/s | database |");
    for operation in Operation::ALL {
        let _ = write!(text, " {} |", operation.about());
    }
    let _ = writeln!(text, "\n| --- | --- |{}", " ---: |".repeat(Operation::ALL.len()));
    for database in Database::ALL {
        for server in Server::ALL {
            let cells = Operation::ALL.map(|operation| cell(rows, server, database, operation));
            if cells.iter().any(Option::is_some) {
                let cells = cells.map(|cell| cell.unwrap_or_else(|| "-".into()));
                let _ = writeln!(text, "| {} | {} | {} |", server.about(), database.about(), cells.join(" | "));
            }
        }
    }
    let _ = writeln!(
        text,
        "\nMeasured with `cargo xtask bench --api` on {CONNECTIONS} connections, with the server on one core of {}, and the load \
         generator and PostgreSQL on another. CPU is that of the server alone. Each order has two lines.",
        cpu_model()
    );
    text
}

fn cell(rows: &[Row], server: Server, database: Database, operation: Operation) -> Option<String> {
    let row = rows.iter().find(|row| {
        let scenario = row.scenario;
        (scenario.server, scenario.database, scenario.operation) == (server, database, operation)
    })?;
    Some(format!("{:.0} µs, {}", row.cpu_us_per_request, grouped(row.requests_per_s)))
}

#[cfg(test)]
mod tests {
    use super::super::super::measure::Sample;
    use super::super::{plan, row};
    use super::*;

    #[test]
    fn the_document_lists_every_server_on_each_database() {
        let rows: Vec<Row> = plan::full()
            .iter()
            .map(|scenario| {
                let cost = 1.0 + scenario.operation as u8 as f64;
                let sample = Sample {
                    body_bytes: 281,
                    requests: 20_000.0 / cost,
                    seconds: 1.0,
                    errors: 0,
                    p50_us: 10.0,
                    p99_us: 1234.0,
                    server_cpu_s: 1.0,
                    supervisord_cpu_s: None,
                    writes: 0.0,
                    peak_mib: 5.0,
                };
                Row::of(scenario, &[sample])
            })
            .collect();
        let markdown = markdown(&rows);
        let line = "| actix-web, rusqlite | SQLite | 50 µs, 20,000 | 100 µs, 10,000 | 150 µs, 6,667 | 200 µs, 5,000 | 250 µs, 4,000 |";
        assert!(markdown.lines().any(|written| written == line), "{markdown}");
        assert_eq!(
            markdown.lines().filter(|line| line.contains("SQLite |") || line.contains("PostgreSQL |")).count(),
            8
        );
        assert!(text(&rows).lines().count() == rows.len() + 1);
        assert!(row::warnings(&rows).is_empty());
    }
}
