//! Renders the files of a new blueprint from the templates.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::checksums::Files;
use super::field_rust::FieldRust;
use super::field_sql::Sql;
use super::name::Name;
use super::resource::{Field, FieldType, Resource};

/// The path of each file and its template.
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
    ("tests/standalone.rs", include_str!("../../templates/standalone.rs.j2")),
];

/// The template variables.
#[derive(Serialize)]
struct Context<'a> {
    name: &'a str,
    table: String,
    pascal: String,
    package: String,
    module: String,
    prefix: String,
    /// Whether items can be updated and deleted.
    mutable: bool,
    /// Whether an update can clear a field.
    clearable: bool,
    /// The names of optional fields.
    optional: Vec<&'a str>,
    /// Whether each item belongs to a user.
    owned: bool,
    /// The types of the fields.
    types: Vec<&'static str>,
    /// Whether the model uses `cyanotype::fields`.
    uses_fields: bool,
    fields: Vec<FieldRust>,
    sql: Sql,
}

impl<'a> Context<'a> {
    fn new(name: &'a Name, resource: &'a Resource, mutable: bool) -> Self {
        let Resource { fields, owned } = resource;
        let optional: Vec<&str> = fields.iter().filter(|field| field.optional).map(|field| &*field.name).collect();
        let clearable = mutable && !optional.is_empty();
        Self {
            name: name.as_str(),
            table: name.snake(),
            pascal: name.pascal(),
            package: name.package(),
            module: name.module(),
            prefix: name.prefix(),
            mutable,
            clearable,
            optional,
            owned: *owned,
            types: fields.iter().map(|field| field.field_type.as_str()).collect(),
            uses_fields: clearable || fields.iter().any(|field| field.field_type.uses_field_helpers()),
            fields: fields.iter().map(FieldRust::of).collect(),
            sql: Sql::of(&name.snake(), resource, mutable),
        }
    }
}

/// The files of the crate, formatted with the configuration of the workspace. Without a resource there is one field, and items
/// cannot be updated or deleted.
pub(super) fn files(root: &Path, name: &Name, resource: Option<&Resource>) -> Result<Files, String> {
    let name_field = Field { name: "name".into(), field_type: FieldType::Text, optional: false };
    let default = Resource { fields: vec![name_field], owned: false };
    let context = Context::new(name, resource.unwrap_or(&default), resource.is_some());
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
    // A line that contains only a block produces no output.
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    let mut environment = Environment::new();
    environment.set_syntax(syntax.build().expect("the default delimiters are valid"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

fn formatted(root: &Path, path: &str, text: String) -> Result<String, String> {
    let failed = |reason: String| format!("cannot format {path}: {reason}");
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--config-path"]).arg(root);
    rustfmt.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = rustfmt.spawn().map_err(|error| {
        failed(format!("cannot run rustfmt: {error}; install it with `rustup component add rustfmt`"))
    })?;
    let mut stdin = running.stdin.take();
    // On a separate thread: rustfmt may write output before it has read all input.
    let writer = std::thread::spawn(move || stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(text.as_bytes())));
    let output = running.wait_with_output().map_err(|error| failed(error.to_string()))?;
    // If rustfmt stops reading early, its exit status reports the error.
    let _ = writer.join();
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|error| failed(error.to_string())),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_code_is_formatted_for_any_name_length() {
        let root = test_harness::scratch::workspace();
        let name: Name = "a-name-as-long-as-a-name-may-be2".parse().unwrap();
        let long =
            |field_type: FieldType| Field { name: format!("{:a<63}", field_type.as_str()), field_type, optional: true };
        let short = |field_type: FieldType| Field { name: field_type.as_str().into(), field_type, optional: false };
        let fields: Vec<Field> =
            FieldType::ALL.iter().flat_map(|field_type| [long(*field_type), short(*field_type)]).collect();
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
