//! `cargo blueprint remove`

use super::cargo;
use super::change::{self, Edit};
use super::digest;
use super::name::Name;
use super::needed;
use super::places;
use super::workspace::Workspace;

/// Takes the blueprint away and makes it unknown, or changes nothing.
pub(super) fn remove(workspace: &Workspace, name: &str, force: bool, dry_run: bool) -> Result<String, String> {
    let blueprints = workspace.blueprints()?;
    if blueprints.iter().all(|found| found.name != name) {
        let names: Vec<&str> = blueprints.iter().map(|found| &*found.name).collect();
        return Err(format!("there is no blueprint {name}: there are {}", names.join(", ")));
    }
    let by_hand = || format!("the blueprint {name} was not made by this command: take it out by hand");
    let name: Name = name.parse().map_err(|_| by_hand())?;
    let folder = places::folder(&name);
    let files = workspace.files(&folder)?;
    let changed = digest::changed(&files).ok_or_else(by_hand)?;
    if !changed.is_empty() && !force {
        return Err(format!(
            "{folder} is not as it was generated any more; `--force` takes it away with what was changed:\n  {}",
            changed.join("\n  ")
        ));
    }
    needed::check(workspace, &name)?;

    let gone: Vec<Edit> = files.into_keys().map(|path| Edit::away(format!("{folder}/{path}"))).collect();
    let changed = places::unregistered(workspace, &name)?;
    let (verb, other) = if dry_run { ("would remove", "would change") } else { ("removed", "changed") };
    let mut said = String::new();
    for (verb, edits) in [(verb, &gone), (other, &changed)] {
        edits.iter().for_each(|edit| said += &format!("{verb:<13} {}\n", edit.path));
    }
    said += &format!("{other:<13} {}\n", cargo::LOCK);
    if dry_run {
        return Ok(said);
    }
    let edits: Vec<Edit> = gone.into_iter().chain(changed).collect();
    change::make(&workspace.root, &edits, cargo::LOCK, || cargo::update_lock(&workspace.root))?;
    let table = name.snake();
    Ok(said
        + &format!(
            "\nIn a database that it was served with, such as data/cyanotype.db, its tables {table} and \
             _schema_{table} stay.\n"
        ))
}
