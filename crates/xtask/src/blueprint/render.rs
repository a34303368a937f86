//! A new blueprint's files, from the templates.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::digest::Files;
use super::field_code::FieldCode;
use super::field_sql::Sql;
use super::name::Name;
use super::resource::{Field, Kind, Resource};

/// What each file is made from.
const TEMPLATES: [(&str, &str); 10] = [
    ("Cargo.toml", include_str!("../../templates/Cargo.toml.j2")),
    ("build.rs", include_str!("../../templates/build.rs.j2")),
    ("migrations/postgres/V1__{table}.sql", include_str!("../../templates/postgres.sql.j2")),
    ("migrations/sqlite/V1__{table}.sql", include_str!("../../templates/sqlite.sql.j2")),
    ("src/api.rs", include_str!("../../templates/api.rs.j2")),
    ("src/lib.rs", include_str!("../../templates/lib.rs.j2")),
    ("src/model.rs", include_str!("../../templates/model.rs.j2")),
    ("src/routes.rs", include_str!("../../templates/routes.rs.j2")),
    ("src/store.rs", include_str!("../../templates/store.rs.j2")),
    ("tests/alone.rs", include_str!("../../templates/alone.rs.j2")),
];

/// What the templates ask for.
#[derive(Serialize)]
struct Context<'a> {
    name: &'a str,
    table: String,
    pascal: String,
    package: String,
    module: String,
    prefix: String,
    /// Whether items can be changed and deleted.
    changes: bool,
    /// Whether a change can clear a field.
    clears: bool,
    /// The names of optional fields.
    optional: Vec<&'a str>,
    /// Whether each item belongs to a user.
    owned: bool,
    /// The types of its fields.
    kinds: Vec<&'static str>,
    /// Whether a field needs more than its type to be read or checked.
    uses_fields: bool,
    fields: Vec<FieldCode>,
    sql: Sql,
}

impl<'a> Context<'a> {
    fn new(name: &'a Name, resource: &'a Resource, changes: bool) -> Self {
        let Resource { fields, owned } = resource;
        let optional: Vec<&str> = fields.iter().filter(|field| field.optional).map(|field| &*field.name).collect();
        let clears = changes && !optional.is_empty();
        Self {
            name: name.as_str(),
            table: name.snake(),
            pascal: name.pascal(),
            package: name.package(),
            module: name.module(),
            prefix: name.prefix(),
            changes,
            clears,
            optional,
            owned: *owned,
            kinds: fields.iter().map(|field| field.kind.as_str()).collect(),
            uses_fields: clears || fields.iter().any(|field| field.kind.needs_more_than_its_type()),
            fields: fields.iter().map(FieldCode::of).collect(),
            sql: Sql::of(&name.snake(), resource, changes),
        }
    }
}

/// The crate's files, formatted as the workspace is. Without a resource there is one field, and no change and deletion.
pub(super) fn files(root: &Path, name: &Name, resource: Option<&Resource>) -> Result<Files, String> {
    let only = Field { name: "name".into(), kind: Kind::Text, optional: false };
    let plain = Resource { fields: vec![only], owned: false };
    let context = Context::new(name, resource.unwrap_or(&plain), resource.is_some());
    let environment = environment();
    let mut files = Files::new();
    for (path, template) in TEMPLATES {
        let path = path.replace("{table}", &context.table);
        let text = environment.render_str(template, Serde(&context)).map_err(|error| format!("{path}: {error:#}"))?;
        let text = if path.ends_with(".rs") { formatted(root, &path, text)? } else { text };
        files.insert(path, text.into_bytes());
    }
    Ok(files)
}

fn environment() -> Environment<'static> {
    let mut syntax = SyntaxConfig::builder();
    // So that a line with nothing but a block leaves no line.
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    let mut environment = Environment::new();
    environment.set_syntax(syntax.build().expect("the delimiters are the usual ones"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

fn formatted(root: &Path, path: &str, text: String) -> Result<String, String> {
    let failed = |why: String| format!("{path} cannot be formatted: {why}");
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--config-path"]).arg(root);
    rustfmt.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = rustfmt
        .spawn()
        .map_err(|error| failed(format!("rustfmt: {error}; `rustup component add rustfmt` installs it")))?;
    let mut stdin = running.stdin.take();
    // On a thread of its own: it may answer before it has read all.
    let writing = std::thread::spawn(move || stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(text.as_bytes())));
    let done = running.wait_with_output().map_err(|error| failed(error.to_string()))?;
    // A text that it did not read to the end is one that it complains of.
    let _ = writing.join();
    match done.status.success() {
        true => String::from_utf8(done.stdout).map_err(|error| failed(error.to_string())),
        false => Err(failed(String::from_utf8_lossy(&done.stderr).into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_formatted_however_long_its_names_are() {
        let root = test_harness::scratch::workspace();
        let name: Name = "a-name-as-long-as-a-name-may-be2".parse().unwrap();
        let long = |kind: Kind| Field { name: format!("{:a<63}", kind.as_str()), kind, optional: true };
        let short = |kind: Kind| Field { name: kind.as_str().into(), kind, optional: false };
        let fields: Vec<Field> = Kind::ALL.iter().flat_map(|kind| [long(*kind), short(*kind)]).collect();
        let resource = |owned| Some(Resource { fields: fields.clone(), owned });
        for resource in [None, resource(false), resource(true)] {
            for (path, content) in files(&root, &name, resource.as_ref()).unwrap() {
                let text = String::from_utf8(content).unwrap();
                assert!(!text.contains("{%") && !text.contains("{{ "), "{path}: {text}");
                if path.ends_with(".rs") {
                    assert_eq!(formatted(&root, &path, text.clone()).unwrap(), text, "{path}");
                }
            }
        }
    }
}
