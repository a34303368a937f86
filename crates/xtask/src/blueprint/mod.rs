//! Creates, lists and removes blueprints.

mod blueprint_list;
mod cargo;
mod checksums;
mod conflicts;
mod dependents;
mod edits;
mod field_rust;
mod field_sql;
mod manifest;
mod name;
mod new;
mod registration;
mod remove;
mod render;
mod reserved_words;
mod resource;
mod sql_names;
mod workspace;

use std::env;

use clap::error::ErrorKind;
use clap::{Args, Subcommand};

use self::name::Name;
use self::resource::Resource;
use self::workspace::{BlueprintCrate, Workspace};

/// Create, list and remove blueprints, from any directory of the workspace
#[derive(Debug, Args)]
#[command(override_usage = "cargo blueprint <COMMAND>", arg_required_else_help = true)]
pub(crate) struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    New(New),
    List(List),
    Remove(Remove),
}

/// Create a blueprint that is registered and ready to serve
///
/// Creates the crate crates/blueprint-NAME with routes, model, store, migrations and tests, and adds it to the workspace, to
/// the app (as a default feature of the same name) and to Cargo.lock. Its routes are under /NAME; without --owned they are
/// public. `cargo blueprint remove NAME` reverts everything.
#[derive(Debug, Args)]
#[command(override_usage = "cargo blueprint new [OPTIONS] <NAME>")]
#[command(after_help = "Examples:\n  cargo blueprint new inventory\n  \
                        cargo blueprint new inventory --resource \"name:text price:decimal note:text?\"\n  \
                        cargo blueprint new notes --resource \"title:text due:date? tags:json?\" --owned")]
struct New {
    /// Name of the blueprint: lower-case words joined by hyphens, such as stock-levels
    name: Name,
    /// Fields of the items; adds routes that create, list, get, update and delete items
    ///
    /// Each field is NAME:TYPE. The types are text, integer, decimal (exact, a JSON string such as "12.50"), boolean, date
    /// ("2026-01-31"), timestamp (RFC 3339), uuid and json (any value except null). A `?` after the type makes the field
    /// optional: it may be omitted or null, and an update with null clears it. Without --resource the items have one field,
    /// `name`, and there are routes that create, list and get items.
    #[arg(long, value_name = "FIELDS")]
    resource: Option<Resource>,
    /// Give each item an owner: the user who creates it
    ///
    /// All routes then require a bearer token, and the blueprint depends on the users blueprint. Users can read and change only
    /// their own items: another user's item returns 404 and is not listed.
    #[arg(long, requires = "resource")]
    owned: bool,
    /// Print what would be done, without doing it
    #[arg(long)]
    dry_run: bool,
}

/// List the blueprints with their path prefix, crate and whether the app includes them
#[derive(Debug, Args)]
#[command(override_usage = "cargo blueprint list [OPTIONS]")]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Remove a blueprint that `new` created
///
/// Fails when files of the blueprint were modified after generation, or when anything else depends on it.
#[derive(Debug, Args)]
#[command(override_usage = "cargo blueprint remove [OPTIONS] <NAME>")]
struct Remove {
    /// Name of the blueprint
    name: String,
    /// Delete files that were modified or added after generation, too
    #[arg(long)]
    force: bool,
    /// Print what would be done, without doing it
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command. Returns the text to print, or the reason why nothing was changed.
pub(crate) fn run(command: Command) -> Result<String, String> {
    let directory = env::current_dir().map_err(|error| format!("cannot determine the current directory: {error}"))?;
    let workspace = Workspace::find(&directory)?;
    let _lock = edits::lock(&workspace.root)?;
    match command.task {
        Task::New(New { name, resource, owned, dry_run }) => {
            let resource = if owned { resource.map(owned_or_exit) } else { resource };
            new::create(&workspace, &name, resource.as_ref(), dry_run)
        }
        Task::List(List { json }) => list(&workspace.blueprints()?, json),
        Task::Remove(Remove { name, force, dry_run }) => remove::remove(&workspace, &name, force, dry_run),
    }
}

/// Exits with a usage error, as clap does for an invalid option value.
fn owned_or_exit(resource: Resource) -> Resource {
    resource.owned().unwrap_or_else(|reason| clap::Error::raw(ErrorKind::ArgumentConflict, reason + "\n").exit())
}

fn list(blueprints: &[BlueprintCrate], json: bool) -> Result<String, String> {
    if json {
        return serde_json::to_string_pretty(blueprints).map_err(|error| error.to_string());
    }
    let row = |cells: [&str; 4]| format!("{:<20}  {:<20}  {:<30}  {}", cells[0], cells[1], cells[2], cells[3]);
    let mut rows = vec![row(["NAME", "PREFIX", "CRATE", "REGISTERED"])];
    for BlueprintCrate { name, prefix, dir, registered } in blueprints {
        rows.push(row([name, prefix.as_deref().unwrap_or("?"), dir, if *registered { "yes" } else { "no" }]));
    }
    Ok(rows.join("\n"))
}
