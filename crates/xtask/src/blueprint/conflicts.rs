//! Conflicts of a new blueprint with existing names.

use super::blueprint_list;
use super::manifest;
use super::name::Name;
use super::registration;
use super::sql_names;
use super::workspace::{APP, BlueprintCrate, ROOT, Workspace};

/// Fails when any name of the new blueprint is in use. An owned resource also creates an index.
pub(super) fn check(workspace: &Workspace, name: &Name, owned: bool) -> Result<(), String> {
    let blueprints = workspace.blueprints()?;
    if let Some(other) = blueprints.iter().find(|other| other.name == name.as_str()) {
        return Err(format!("the blueprint {name} already exists in {}", other.dir));
    }
    let dir = registration::crate_dir(name);
    if workspace.root.join(&dir).symlink_metadata().is_ok() {
        return Err(format!("{dir} already exists; delete it or choose another name"));
    }
    check_packages(workspace, name)?;
    check_features(workspace, name)?;
    if blueprint_list::mentions(&workspace.read(blueprint_list::PATH)?, &name.module()) {
        return Err(format!(
            "{} already mentions {}; remove it or choose another name",
            blueprint_list::PATH,
            name.module()
        ));
    }
    let overlaps_prefix =
        |other: &&BlueprintCrate| other.prefix.as_deref().is_some_and(|prefix| overlap(prefix, &name.prefix()));
    if let Some(BlueprintCrate { name: other, prefix: Some(prefix), .. }) = blueprints.iter().find(overlaps_prefix) {
        return Err(format!(
            "the prefix {} conflicts with {prefix} of the blueprint {other}; choose another name",
            name.prefix()
        ));
    }
    let table = name.snake();
    let index = owned.then(|| format!("{table}_user_id"));
    for (dir, statements) in workspace.migrations()? {
        let created = sql_names::created_by(&statements);
        if created.contains(&table) || created.contains(&format!("{table}_pkey")) {
            return Err(format!(
                "the table {table} already exists: a migration in {dir} creates it; choose another name"
            ));
        }
        if let Some(index) = index.as_ref().filter(|index| created.contains(index)) {
            return Err(format!(
                "the index {index} already exists: a migration in {dir} creates it; choose another name"
            ));
        }
    }
    Ok(())
}

fn check_packages(workspace: &Workspace, name: &Name) -> Result<(), String> {
    let package = name.package();
    if workspace.manifest(ROOT)?.table(&["workspace", "dependencies"])?.contains_key(&package) {
        return Err(format!("{ROOT} already has the dependency {package}; remove it or choose another name"));
    }
    for dir in workspace.crates()? {
        let manifest = workspace.manifest(&format!("{dir}/Cargo.toml"))?;
        if manifest.get(&["package", "name"]).and_then(|name| name.as_str()) == Some(&package) {
            return Err(format!("the crate {package} already exists in {dir}; choose another name"));
        }
    }
    Ok(())
}

fn check_features(workspace: &Workspace, name: &Name) -> Result<(), String> {
    let mut app = workspace.manifest(APP)?;
    let in_default = manifest::strings(app.array(&["features", "default"])?).any(|feature| feature == name.as_str());
    if in_default || app.table(&["features"])?.contains_key(name.as_str()) {
        return Err(format!("the app already has a feature {name}; choose another name"));
    }
    if app.table(&["dependencies"])?.contains_key(name.as_str()) {
        return Err(format!(
            "the app has a dependency {name}, and a feature must not have the same name; choose another name"
        ));
    }
    Ok(())
}

/// Whether one path is a prefix of the other; parameters match any segment. The blueprint registry applies the same rule.
fn overlap(a: &str, b: &str) -> bool {
    a.split('/').zip(b.split('/')).all(|(a, b)| a == b || a.starts_with('{') || b.starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::overlap;

    #[test]
    fn a_path_overlaps_its_own_prefix() {
        assert!(overlap("/stock", "/stock") && overlap("/stock/levels", "/stock") && overlap("/{any}", "/stock"));
        assert!(!overlap("/stock", "/stocks"));
    }
}
