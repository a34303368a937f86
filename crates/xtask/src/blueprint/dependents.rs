//! Finds what still depends on a blueprint: crates, features and settings.

use std::fs;

use super::manifest::Manifest;
use super::name::Name;
use super::registration;
use super::workspace::{APP, Workspace};

/// Fails when anything else depends on the blueprint.
pub(super) fn check(workspace: &Workspace, name: &Name) -> Result<(), String> {
    let package = name.package();
    for dir in workspace.crates()?.iter().filter(|dir| **dir != registration::crate_dir(name)) {
        let path = format!("{dir}/Cargo.toml");
        if path != APP && contains_word(&without_comments(&workspace.read(&path)?), &package) {
            return Err(format!("{dir} depends on {package}; remove that dependency first"));
        }
        let dependency = format!("Dependency::on(\"{name}\")");
        if let Some((path, _)) = workspace.sources(dir)?.iter().find(|(_, text)| text.contains(&dependency)) {
            return Err(format!("{dir}/src/{path} depends on the blueprint {name}; remove that dependency first"));
        }
    }
    check_features(&mut workspace.manifest(APP)?, name)?;
    check_settings(workspace, name)
}

/// Fails when a feature of the app other than the blueprint's own enables the blueprint.
fn check_features(app: &mut Manifest, name: &Name) -> Result<(), String> {
    let package = name.package();
    for (feature, enables) in
        app.table(&["features"])?.iter().filter(|(feature, _)| !["default", name.as_str()].contains(feature))
    {
        let mut enables = enables.as_array().into_iter().flatten().filter_map(|other| other.as_str());
        if enables.any(|other| other == name.as_str() || contains_word(other, &package)) {
            return Err(format!("the app's feature {feature} enables {name}; remove it from that feature first"));
        }
    }
    Ok(())
}

/// Fails when a configuration file has settings for the blueprint: the app does not start with settings for an unknown blueprint.
fn check_settings(workspace: &Workspace, name: &Name) -> Result<(), String> {
    let Ok(entries) = fs::read_dir(workspace.root.join("config")) else { return Ok(()) };
    for file in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let path = format!("config/{file}");
        if !file.ends_with(".toml") {
            continue;
        }
        let settings = workspace.manifest(&path)?;
        let enabled = settings.get(&["blueprints", "enabled"]).and_then(|enabled| enabled.as_array());
        let is_enabled = enabled.into_iter().flatten().any(|other| other.as_str() == Some(name.as_str()));
        if is_enabled || settings.get(&["blueprints", &name.snake()]).is_some() {
            return Err(format!("{path} has settings for the blueprint {name}; remove them first"));
        }
    }
    Ok(())
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect()
}

fn contains_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.split(|c| !is_part(c)).any(|other| other == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_enables_the_blueprint_is_named() {
        let app = |more: &str| {
            let text = format!("[features]\ndefault = [\"stock\"]\nstock = [\"dep:blueprint-stock\"]\n{more}");
            check_features(&mut Manifest::new(APP, &text).unwrap(), &"stock".parse().unwrap())
        };
        assert_eq!(app("shop = [\"stocks\"]\n"), Ok(()));
        assert_eq!(
            app("shop = [\"stock\"]\n").unwrap_err(),
            "the app's feature shop enables stock; remove it from that feature first"
        );
        assert!(app("shop = [\"blueprint-stock/more\"]\n").is_err());
    }

    #[test]
    fn only_entire_words_match() {
        assert!(contains_word("blueprint-stock = { workspace = true }", "blueprint-stock"));
        assert!(!contains_word("blueprint-stock-levels.workspace = true", "blueprint-stock"));
        assert_eq!(without_comments("# blueprint-stock\na = 1\n"), "a = 1\n");
    }
}
