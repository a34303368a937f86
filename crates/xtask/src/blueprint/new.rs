//! `cargo blueprint new`.

use std::fmt::Write;

use super::cargo;
use super::checksums;
use super::conflicts;
use super::edits::{self, Edit};
use super::field_rust::FieldRust;
use super::name::Name;
use super::registration;
use super::render;
use super::resource::{Field, Resource};
use super::workspace::Workspace;

/// Creates and registers the blueprint, or changes nothing.
pub(super) fn create(
    workspace: &Workspace,
    name: &Name,
    resource: Option<&Resource>,
    dry_run: bool,
) -> Result<String, String> {
    let owned = resource.is_some_and(|resource| resource.owned);
    conflicts::check(workspace, name, owned)?;
    let mut files = render::files(&workspace.root, name, resource)?;
    checksums::add(&mut files);
    let dir = registration::crate_dir(name);
    let created: Vec<Edit> =
        files.into_iter().map(|(path, content)| Edit::write(format!("{dir}/{path}"), content)).collect();
    let registered = registration::register(workspace, name)?;
    let mut summary = String::new();
    let (create, change) = if dry_run { ("would create", "would change") } else { ("created", "changed") };
    for (verb, edits) in [(create, &created), (change, &registered)] {
        edits.iter().for_each(|edit| summary += &format!("{verb:<13} {}\n", edit.path));
    }
    let _ = writeln!(summary, "{change:<13} {}", cargo::LOCK);
    if dry_run {
        return Ok(summary);
    }
    let edits: Vec<Edit> = created.into_iter().chain(registered).collect();
    edits::apply(&workspace.root, &edits, cargo::LOCK, || cargo::update_lock(&workspace.root))?;
    Ok(summary + &next_steps(name, resource))
}

/// What the user can do next.
fn next_steps(name: &Name, resource: Option<&Resource>) -> String {
    let prefix = name.prefix();
    let body = request_body(resource);
    let (access, token) = match resource {
        Some(Resource { owned: true, .. }) => (
            "Its routes require a bearer token; `POST /users/login` returns one.".to_owned(),
            " -H \"authorization: Bearer $TOKEN\"",
        ),
        _ => {
            let routes = format!("{}/src/routes.rs", registration::crate_dir(name));
            (format!("Its routes are public; the first lines of {routes} explain how to require a bearer token."), "")
        }
    };
    format!(
        "\n{access}\n\
         `UPDATE_DOCUMENTS=1 cargo test -p system-tests documents` adds them to docs/openapi.json.\n\nNext:\n  \
         cargo run\n  curl -s localhost:8080{prefix} -H 'content-type: application/json'{token} -d '{body}'\n"
    )
}

/// A request body that creates an item.
fn request_body(resource: Option<&Resource>) -> String {
    let member = |field: &Field| format!("\"{}\": {}", field.name, FieldRust::of(field).example);
    let members: Vec<String> = match resource {
        Some(resource) => resource.fields.iter().filter(|field| !field.optional).map(member).collect(),
        None => vec!["\"name\": \"first\"".into()],
    };
    format!("{{{}}}", members.join(", "))
}
