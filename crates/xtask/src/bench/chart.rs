//! The chart in the README: a labelled bar for each server. Its colors are readable on light and dark backgrounds,
//! because an embedded picture does not know which one it is on.

use std::fmt::Write;

use super::report::{compared, percent};
use super::row::Row;

const WIDTH: usize = 860;
const LABELS: usize = 300;
const BARS: usize = 360;
const HEAD: usize = 44;
const STEP: usize = 30;
const BAR: usize = 18;

/// Requests per second, relative to bare actix-web.
pub fn svg(rows: &[Row]) -> String {
    let rows = compared(rows);
    let height = HEAD + rows.len() * STEP + 8;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">
<title id="title">Requests per second on one core, relative to bare actix-web</title>
<style>
text {{ font: 13px system-ui, sans-serif; fill: #737d87; }}
.head, .ours {{ font-weight: 600; }}
rect {{ fill: #8b949e; }}
rect.ours {{ fill: #2f81f7; }}
</style>
<text class="head" x="0" y="18">Requests per second on one core, relative to bare actix-web, and CPU per request</text>
"##
    );
    for (at, row) in rows.iter().enumerate() {
        let share = row.share_of_bare.unwrap_or(0.0);
        let top = HEAD + at * STEP;
        let (middle, length) = (top + BAR / 2 + 5, (share.min(1.2) * BARS as f64).max(1.0));
        let class = if row.scenario.server.is_cyanotype() { " class=\"ours\"" } else { "" };
        let label = escaped(&label(row));
        let _ = write!(
            svg,
            r#"<text{class} x="{}" y="{middle}" text-anchor="end">{label}</text>
<rect{class} x="{LABELS}" y="{top}" width="{length:.1}" height="{BAR}" rx="2"/>
<text x="{:.1}" y="{middle}">{}<tspan dx="8">{:.1} µs</tspan></text>
"#,
            LABELS - 10,
            LABELS as f64 + length + 8.0,
            percent(share),
            row.cpu_us_per_request
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn label(row: &Row) -> String {
    let about = row.scenario.server.about();
    about.split(':').next().unwrap_or(about).replace('`', "")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
