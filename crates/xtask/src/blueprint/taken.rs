//! What a new blueprint would clash with.

use super::list;
use super::manifest;
use super::name::Name;
use super::places;
use super::sql;
use super::workspace::{APP, Found, ROOT, Workspace};

/// Whether the name is free in every place that it goes to; rows with an owner have an index beside the table.
pub(super) fn check(workspace: &Workspace, name: &Name, owned: bool) -> Result<(), String> {
    let blueprints = workspace.blueprints()?;
    if let Some(other) = blueprints.iter().find(|found| found.name == name.as_str()) {
        return Err(format!("there is a blueprint {name} already, in {}", other.folder));
    }
    let folder = places::folder(name);
    if workspace.root.join(&folder).symlink_metadata().is_ok() {
        return Err(format!("{folder} exists already: take it away, or take another name"));
    }
    check_packages(workspace, name)?;
    check_features(workspace, name)?;
    if list::names(&workspace.read(list::PATH)?, &name.module()) {
        return Err(format!("{} has {} already: take it out, or take another name", list::PATH, name.module()));
    }
    let clash = |found: &&Found| found.prefix.as_deref().is_some_and(|prefix| shadows(prefix, &name.prefix()));
    if let Some(Found { name: other, prefix: Some(prefix), .. }) = blueprints.iter().find(clash) {
        return Err(format!("the prefix {} is taken: the blueprint {other} has {prefix}", name.prefix()));
    }
    let table = name.snake();
    let index = owned.then(|| format!("{table}_user_id"));
    for (folder, statements) in workspace.migrations()? {
        let made = sql::made_by(&statements);
        if made.contains(&table) || made.contains(&format!("{table}_pkey")) {
            return Err(format!("the table {table} is taken: a migration of {folder} makes it"));
        }
        if let Some(index) = index.as_ref().filter(|index| made.contains(index)) {
            return Err(format!("the index {index} is taken: a migration of {folder} makes it"));
        }
    }
    Ok(())
}

fn check_packages(workspace: &Workspace, name: &Name) -> Result<(), String> {
    let package = name.package();
    if workspace.manifest(ROOT)?.table(&["workspace", "dependencies"])?.contains_key(&package) {
        return Err(format!("{ROOT} has the dependency {package} already: take it out, or take another name"));
    }
    for folder in workspace.crates()? {
        let manifest = workspace.manifest(&format!("{folder}/Cargo.toml"))?;
        if manifest.get(&["package", "name"]).and_then(|name| name.as_str()) == Some(&package) {
            return Err(format!("there is a crate {package} already, in {folder}"));
        }
    }
    Ok(())
}

fn check_features(workspace: &Workspace, name: &Name) -> Result<(), String> {
    let mut app = workspace.manifest(APP)?;
    let in_default = manifest::texts(app.list(&["features", "default"])?).any(|feature| feature == name.as_str());
    if in_default || app.table(&["features"])?.contains_key(name.as_str()) {
        return Err(format!("the app has a feature {name} already: take another name"));
    }
    if app.table(&["dependencies"])?.contains_key(name.as_str()) {
        return Err(format!("the app has a dependency {name}, whose feature would be called so: take another name"));
    }
    Ok(())
}

/// Whether one path is the beginning of the other, parameters fitting anything, as the service's registry has it.
fn shadows(a: &str, b: &str) -> bool {
    a.split('/').zip(b.split('/')).all(|(a, b)| a == b || a.starts_with('{') || b.starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::shadows;

    #[test]
    fn a_prefix_clashes_with_its_beginning() {
        assert!(shadows("/stock", "/stock") && shadows("/stock/levels", "/stock") && shadows("/{any}", "/stock"));
        assert!(!shadows("/stock", "/stocks"));
    }
}
