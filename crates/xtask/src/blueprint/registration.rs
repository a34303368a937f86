//! Registers a blueprint outside its own crate: in the workspace, in the app and in the system tests.

use toml_edit::Value;

use super::blueprint_list;
use super::edits::Edit;
use super::manifest::{self, Manifest};
use super::name::Name;
use super::workspace::{APP, ROOT, TESTS, Workspace};

const MEMBERS: [&str; 2] = ["workspace", "members"];
const WORKSPACE_DEPENDENCIES: [&str; 2] = ["workspace", "dependencies"];
const FEATURES: [&str; 1] = ["features"];
const DEFAULT_FEATURES: [&str; 2] = ["features", "default"];
const DEPENDENCIES: [&str; 1] = ["dependencies"];
const APP_FEATURES_IN_TESTS: [&str; 3] = ["dependencies", "app", "features"];

/// The edits that register a blueprint.
pub(super) fn register(workspace: &Workspace, name: &Name) -> Result<Vec<Edit>, String> {
    let (package, dir) = (name.package(), crate_dir(name));
    let is_blueprint = |key: &str| key.starts_with("blueprint-");

    let mut root = workspace.manifest(ROOT)?;
    let members = root.array(&MEMBERS)?;
    if !manifest::strings(members).any(|member| matches_member(member, &dir)) {
        manifest::insert_string(members, &dir, |member| member.starts_with("crates/blueprint-"));
    }
    let dependency = value(&format!("{{ path = \"{dir}\" }}"))?;
    manifest::insert_key(root.table(&WORKSPACE_DEPENDENCIES)?, &package, dependency, is_blueprint);

    let mut app = workspace.manifest(APP)?;
    manifest::insert_string(app.array(&DEFAULT_FEATURES)?, name.as_str(), |_| false);
    let feature = value(&format!("[\"dep:{package}\"]"))?;
    manifest::insert_key(app.table(&FEATURES)?, name.as_str(), feature, |_| false);
    let dependency = value("{ workspace = true, optional = true }")?;
    manifest::insert_key(app.table(&DEPENDENCIES)?, &package, dependency, is_blueprint);

    let mut tests = workspace.manifest(TESTS)?;
    manifest::insert_string(tests.array(&APP_FEATURES_IN_TESTS)?, name.as_str(), |_| false);

    let listed = blueprint_list::add(&workspace.read(blueprint_list::PATH)?, name)?;
    Ok(edits(&root, &app, &tests, listed))
}

/// The edits that revert [`register`].
pub(super) fn unregister(workspace: &Workspace, name: &Name) -> Result<Vec<Edit>, String> {
    let (package, dir) = (name.package(), crate_dir(name));

    let mut root = workspace.manifest(ROOT)?;
    manifest::remove_string(root.array(&MEMBERS)?, &dir);
    root.table(&WORKSPACE_DEPENDENCIES)?.remove(&package);

    let mut app = workspace.manifest(APP)?;
    manifest::remove_string(app.array(&DEFAULT_FEATURES)?, name.as_str());
    app.table(&FEATURES)?.remove(name.as_str());
    app.table(&DEPENDENCIES)?.remove(&package);

    let mut tests = workspace.manifest(TESTS)?;
    manifest::remove_string(tests.array(&APP_FEATURES_IN_TESTS)?, name.as_str());

    let listed = blueprint_list::remove(&workspace.read(blueprint_list::PATH)?, name)?;
    Ok(edits(&root, &app, &tests, listed))
}

pub(super) fn crate_dir(name: &Name) -> String {
    format!("crates/{}", name.package())
}

fn edits(root: &Manifest, app: &Manifest, tests: &Manifest, listed: String) -> Vec<Edit> {
    vec![
        Edit::write(ROOT, root.text()),
        Edit::write(APP, app.text()),
        Edit::write(blueprint_list::PATH, listed),
        Edit::write(TESTS, tests.text()),
    ]
}

fn value(text: &str) -> Result<Value, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// Whether a workspace member pattern matches a directory; `*` matches any part of one path segment.
fn matches_member(member: &str, dir: &str) -> bool {
    match member.split_once('*') {
        Some((prefix, suffix)) => {
            dir.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix)).is_some_and(|part| !part.contains('/'))
        }
        None => member == dir,
    }
}

#[cfg(test)]
mod tests {
    use super::matches_member;

    #[test]
    fn members_may_be_paths_or_patterns() {
        for member in ["crates/blueprint-stock", "crates/*", "crates/blueprint-*"] {
            assert!(matches_member(member, "crates/blueprint-stock"), "{member}");
        }
        for member in ["crates/blueprint", "*", "tests", "crates/app*"] {
            assert!(!matches_member(member, "crates/blueprint-stock"), "{member}");
        }
    }
}
