//! The part of `docs/RECORDS.md` about `log.schema` and `log.level_names`.

use std::fmt::Write as _;

use cyanotype_settings::{ValueType, one_of};

use super::PACKAGE;
use super::records::{DOCUMENT, block, complete, complete_response, render, request};
use crate::level::Level;
use crate::lines::{Renderer, Schema};
use crate::pipeline::fixture::settings;
use crate::policy::Kind;
use crate::record::Record;
use crate::record::catalog::{COMMON, REQUEST, TRUNCATED, fields_of_kind};
use crate::settings::{self, LevelNames};

/// The names of an enum's values in settings.
fn names(value_type: ValueType) -> &'static [&'static str] {
    let ValueType::OneOf(names) = value_type else { panic!("not an enum: {value_type:?}") };
    names
}

/// What a collector does with the keys.
fn about(schema: &str) -> &'static str {
    match schema {
        "gcp" => {
            "For Cloud Logging, which moves these keys to the entry itself. The keys of `httpRequest` are `requestMethod`, \
             `requestUrl` (with the query), `status`, `latency`, `responseSize`, `requestSize`, `remoteIp` and `userAgent`."
        }
        "ecs" => "For Elasticsearch: the Elastic Common Schema. `event.duration` is in nanoseconds.",
        "datadog" => "For Datadog's standard attributes. `duration` is in nanoseconds.",
        name => panic!("no text about the schema `{name}`"),
    }
}

/// The keys that a schema renames.
fn renamed(schema: &Schema) -> Vec<(&'static str, String)> {
    let of_kinds = Kind::ALL.into_iter().flat_map(fields_of_kind);
    let all = COMMON.iter().chain([&TRUNCATED]).chain(REQUEST).chain(of_kinds);
    let mut keys: Vec<_> = all.map(|field| (field.key, schema.name(field.key).to_owned())).collect();
    keys.retain(|(ours, theirs)| ours != theirs);
    let mut seen = std::collections::BTreeSet::new();
    keys.retain(|(ours, _)| seen.insert(*ours));
    keys
}

fn example(renderer: &Renderer, record: &Record) -> String {
    render(|out| renderer.write(record, out))
}

fn level_table(text: &mut String) {
    let _ = writeln!(text, "| `log.level_names` | {} |", Level::NAMES.map(|name| format!("`{name}`")).join(" | "));
    let _ = writeln!(text, "| --- |{}", " --- |".repeat(Level::ALL.len()));
    for name in names(one_of::<LevelNames>()) {
        let renderer = Renderer::from_settings(&settings(&[("log.level_names", name)]));
        let shown = Level::ALL.map(|level| {
            let line = example(&renderer, &Record { level, ..complete(Kind::Message) });
            let record: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
            format!("`{}`", record["level"])
        });
        let _ = writeln!(text, "| `{name}` | {} |", shown.join(" | "));
    }
    text.push('\n');
}

#[test]
fn the_document_of_schemas_is_up_to_date() {
    let mut text = String::new();
    level_table(&mut text);
    for name in names(one_of::<settings::Schema>()).iter().filter(|name| **name != "default") {
        let settings = settings(&[("log.schema", name)]);
        let schema = Schema::from_settings(&settings.log.lines);
        let renderer = Renderer::from_settings(&settings);
        let _ = write!(text, "### `log.schema = \"{name}\"`\n\n{}\n\n", about(name));
        text.push_str("| key | in this schema |\n| --- | --- |\n");
        for (ours, theirs) in renamed(&schema) {
            let _ = writeln!(text, "| `{ours}` | `{theirs}` |");
        }
        text.push('\n');
        let request = request();
        block(&mut text, "json", &render(|out| renderer.write_response(&complete_response(&request), out)));
        block(&mut text, "json", &example(&renderer, &complete(Kind::Uncaught)));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    test_harness::documents::check(DOCUMENT, "schemas", &text, PACKAGE);
}
