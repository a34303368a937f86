//! `cargo blueprint new`

use std::fmt::Write;

use super::cargo;
use super::change::{self, Edit};
use super::digest;
use super::field_code::FieldCode;
use super::name::Name;
use super::places;
use super::render;
use super::resource::{Field, Resource};
use super::taken;
use super::workspace::Workspace;

/// Makes the blueprint and makes it known, or changes nothing.
pub(super) fn make(
    workspace: &Workspace,
    name: &Name,
    resource: Option<&Resource>,
    dry_run: bool,
) -> Result<String, String> {
    let owned = resource.is_some_and(|resource| resource.owned);
    taken::check(workspace, name, owned)?;
    let mut files = render::files(&workspace.root, name, resource)?;
    digest::sign(&mut files);
    let folder = places::folder(name);
    let made: Vec<Edit> =
        files.into_iter().map(|(path, content)| Edit::to(format!("{folder}/{path}"), content)).collect();
    let changed = places::registered(workspace, name)?;
    let mut said = String::new();
    let (verb, other) = if dry_run { ("would make", "would change") } else { ("made", "changed") };
    for (verb, edits) in [(verb, &made), (other, &changed)] {
        edits.iter().for_each(|edit| said += &format!("{verb:<13} {}\n", edit.path));
    }
    let _ = writeln!(said, "{other:<13} {}", cargo::LOCK);
    if dry_run {
        return Ok(said);
    }
    let edits: Vec<Edit> = made.into_iter().chain(changed).collect();
    change::make(&workspace.root, &edits, cargo::LOCK, || cargo::update_lock(&workspace.root))?;
    Ok(said + &next(name, resource))
}

/// What to do now.
fn next(name: &Name, resource: Option<&Resource>) -> String {
    let prefix = name.prefix();
    let body = body(resource);
    let (access, token) = match resource {
        Some(Resource { owned: true, .. }) => (
            "Its routes ask for a bearer token: `POST /users/login` answers with one.".to_owned(),
            " -H \"authorization: Bearer $TOKEN\"",
        ),
        _ => {
            let routes = format!("{}/src/routes.rs", places::folder(name));
            (format!("Its routes are open to anybody: {routes} says how a handler asks for the caller."), "")
        }
    };
    format!(
        "\n{access}\n\
         `UPDATE_DOCUMENTS=1 cargo test -p system-tests documents` writes them into docs/openapi.json.\n\nNext:\n  \
         cargo run\n  curl -s localhost:8080{prefix} -H 'content-type: application/json'{token} -d '{body}'\n"
    )
}

/// A body that adds an item.
fn body(resource: Option<&Resource>) -> String {
    let member = |field: &Field| format!("\"{}\": {}", field.name, FieldCode::of(field).sample);
    let members: Vec<String> = match resource {
        Some(resource) => resource.fields.iter().filter(|field| !field.optional).map(member).collect(),
        None => vec!["\"name\": \"first\"".into()],
    };
    format!("{{{}}}", members.join(", "))
}
