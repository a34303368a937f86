//! Makes, lists and removes blueprints.

mod cargo;
mod change;
mod digest;
mod field_code;
mod field_sql;
mod list;
mod manifest;
mod name;
mod needed;
mod new;
mod places;
mod remove;
mod render;
mod resource;
mod sql;
mod taken;
mod words;
mod workspace;

use std::env;

use clap::error::ErrorKind;
use clap::{Args, Subcommand};

use self::name::Name;
use self::resource::Resource;
use self::workspace::{Found, Workspace};

/// Make, list and remove blueprints, from anywhere inside the workspace
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

/// Make a blueprint, registered and ready to serve
///
/// Makes the crate crates/blueprint-NAME with routes, model, store, migrations and tests, and adds it to the workspace, to
/// the app (a feature of the same name, on by default) and to Cargo.lock. Its routes are below /NAME; without --owned they
/// are open to anybody. `cargo blueprint remove NAME` takes all of it back.
#[derive(Debug, Args)]
#[command(override_usage = "cargo blueprint new [OPTIONS] <NAME>")]
#[command(after_help = "Examples:\n  cargo blueprint new inventory\n  \
                        cargo blueprint new inventory --resource \"name:text price:decimal note:text?\"\n  \
                        cargo blueprint new notes --resource \"title:text due:date? tags:json?\" --owned")]
struct New {
    /// Its name: lower-case words with hyphens between them, such as stock-levels
    name: Name,
    /// The fields of its items, for routes that add, list, read, change and delete them
    ///
    /// Each field is NAME:TYPE. The types are text, integer, decimal (exact, in JSON a text such as "12.50"), boolean, date
    /// ("2026-01-31"), timestamp (RFC 3339), uuid and json (any value but null). A `?` after the type makes the field
    /// optional: it may be left out or null, and a change clears it with null. Without --resource there is one field, `name`,
    /// and routes that add, list and read items.
    #[arg(long, value_name = "FIELDS")]
    resource: Option<Resource>,
    /// Give each item an owner, the user who adds it
    ///
    /// All routes then ask for a bearer token, and the blueprint needs the blueprint users. A user sees and changes their own
    /// items only: another user's item answers 404, and a list has none of them.
    #[arg(long, requires = "resource")]
    owned: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// List the blueprints: name, prefix, crate, and whether the app has them
#[derive(Debug, Args)]
#[command(override_usage = "cargo blueprint list [OPTIONS]")]
struct List {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Take back what `new` has made
///
/// Only of a blueprint that is still as it was generated, and that nothing else needs.
#[derive(Debug, Args)]
#[command(override_usage = "cargo blueprint remove [OPTIONS] <NAME>")]
struct Remove {
    /// The blueprint's name
    name: String,
    /// Also when its files have been changed since: they go, too
    #[arg(long)]
    force: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Does what the command asks for; the answer says what was done, or why nothing was.
pub(crate) fn run(command: Command) -> Result<String, String> {
    let here = env::current_dir().map_err(|error| format!("the current directory cannot be read: {error}"))?;
    let workspace = Workspace::around(&here)?;
    let _alone = change::alone(&workspace.root)?;
    match command.task {
        Task::New(New { name, resource, owned, dry_run }) => {
            let resource = if owned { resource.map(owned_or_exit) } else { resource };
            new::make(&workspace, &name, resource.as_ref(), dry_run)
        }
        Task::List(List { json }) => listed(&workspace.blueprints()?, json),
        Task::Remove(Remove { name, force, dry_run }) => remove::remove(&workspace, &name, force, dry_run),
    }
}

/// Ends the process with a usage error, as clap does for a wrong value of one option.
fn owned_or_exit(resource: Resource) -> Resource {
    resource.owned().unwrap_or_else(|why| clap::Error::raw(ErrorKind::ArgumentConflict, why + "\n").exit())
}

fn listed(blueprints: &[Found], json: bool) -> Result<String, String> {
    if json {
        return serde_json::to_string_pretty(blueprints).map_err(|error| error.to_string());
    }
    let row = |cells: [&str; 4]| format!("{:<20}  {:<20}  {:<30}  {}", cells[0], cells[1], cells[2], cells[3]);
    let mut rows = vec![row(["NAME", "PREFIX", "CRATE", "REGISTERED"])];
    for Found { name, prefix, folder, registered } in blueprints {
        rows.push(row([name, prefix.as_deref().unwrap_or("?"), folder, if *registered { "yes" } else { "no" }]));
    }
    Ok(rows.join("\n"))
}
