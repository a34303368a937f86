//! Where a blueprint is known beside its own crate: the workspace, the app and the tests that serve the app.

use toml_edit::Value;

use super::change::Edit;
use super::list;
use super::manifest::{self, Manifest};
use super::name::Name;
use super::workspace::{APP, ROOT, TESTS, Workspace};

const MEMBERS: [&str; 2] = ["workspace", "members"];
const SHARED: [&str; 2] = ["workspace", "dependencies"];
const FEATURES: [&str; 1] = ["features"];
const DEFAULT: [&str; 2] = ["features", "default"];
const DEPENDENCIES: [&str; 1] = ["dependencies"];
const OF_THE_TESTS: [&str; 3] = ["dependencies", "app", "features"];

/// The edits that make a blueprint known.
pub(super) fn registered(workspace: &Workspace, name: &Name) -> Result<Vec<Edit>, String> {
    let (package, folder) = (name.package(), folder(name));
    let is_blueprint = |key: &str| key.starts_with("blueprint-");

    let mut root = workspace.manifest(ROOT)?;
    let members = root.list(&MEMBERS)?;
    if !manifest::texts(members).any(|member| fits(member, &folder)) {
        manifest::add_to(members, &folder, |member| member.starts_with("crates/blueprint-"));
    }
    let shared = value(&format!("{{ path = \"{folder}\" }}"))?;
    manifest::add_key(root.table(&SHARED)?, &package, shared, is_blueprint);

    let mut app = workspace.manifest(APP)?;
    manifest::add_to(app.list(&DEFAULT)?, name.as_str(), |_| false);
    let feature = value(&format!("[\"dep:{package}\"]"))?;
    manifest::add_key(app.table(&FEATURES)?, name.as_str(), feature, |_| false);
    let dependency = value("{ workspace = true, optional = true }")?;
    manifest::add_key(app.table(&DEPENDENCIES)?, &package, dependency, is_blueprint);

    let mut tests = workspace.manifest(TESTS)?;
    manifest::add_to(tests.list(&OF_THE_TESTS)?, name.as_str(), |_| false);

    let listed = list::with(&workspace.read(list::PATH)?, name)?;
    Ok(edits(&root, &app, &tests, listed))
}

/// The edits that make it unknown again.
pub(super) fn unregistered(workspace: &Workspace, name: &Name) -> Result<Vec<Edit>, String> {
    let (package, folder) = (name.package(), folder(name));

    let mut root = workspace.manifest(ROOT)?;
    manifest::take_from(root.list(&MEMBERS)?, &folder);
    root.table(&SHARED)?.remove(&package);

    let mut app = workspace.manifest(APP)?;
    manifest::take_from(app.list(&DEFAULT)?, name.as_str());
    app.table(&FEATURES)?.remove(name.as_str());
    app.table(&DEPENDENCIES)?.remove(&package);

    let mut tests = workspace.manifest(TESTS)?;
    manifest::take_from(tests.list(&OF_THE_TESTS)?, name.as_str());

    let listed = list::without(&workspace.read(list::PATH)?, name)?;
    Ok(edits(&root, &app, &tests, listed))
}

pub(super) fn folder(name: &Name) -> String {
    format!("crates/{}", name.package())
}

fn edits(root: &Manifest, app: &Manifest, tests: &Manifest, listed: String) -> Vec<Edit> {
    vec![
        Edit::to(ROOT, root.text()),
        Edit::to(APP, app.text()),
        Edit::to(list::PATH, listed),
        Edit::to(TESTS, tests.text()),
    ]
}

fn value(text: &str) -> Result<Value, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// Whether a member of the workspace, in which `*` stands for any part of a name, is this folder.
fn fits(member: &str, folder: &str) -> bool {
    match member.split_once('*') {
        Some((begin, end)) => {
            folder.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)).is_some_and(|part| !part.contains('/'))
        }
        None => member == folder,
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn members_may_be_listed_or_told_by_a_pattern() {
        for member in ["crates/blueprint-stock", "crates/*", "crates/blueprint-*"] {
            assert!(fits(member, "crates/blueprint-stock"), "{member}");
        }
        for member in ["crates/blueprint", "*", "tests", "crates/app*"] {
            assert!(!fits(member, "crates/blueprint-stock"), "{member}");
        }
    }
}
