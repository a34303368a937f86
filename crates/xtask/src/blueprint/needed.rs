//! Who else still says a blueprint's name, and would not do without it.

use std::fs;

use super::manifest::Manifest;
use super::name::Name;
use super::places;
use super::workspace::{APP, Workspace};

/// Whether the blueprint can go.
pub(super) fn check(workspace: &Workspace, name: &Name) -> Result<(), String> {
    let package = name.package();
    for folder in workspace.crates()?.iter().filter(|folder| **folder != places::folder(name)) {
        let path = format!("{folder}/Cargo.toml");
        if path != APP && is_word_in(&without_comments(&workspace.read(&path)?), &package) {
            return Err(format!("{folder} still depends on {package}: see to that first"));
        }
        let need = format!("Dependency::on(\"{name}\")");
        if let Some((path, _)) = workspace.sources(folder)?.iter().find(|(_, text)| text.contains(&need)) {
            return Err(format!("{folder}/src/{path} still needs the blueprint {name}: see to that first"));
        }
    }
    check_features(&mut workspace.manifest(APP)?, name)?;
    check_settings(workspace, name)
}

/// The app has its own feature for it, which goes too, and maybe others that ask for that one.
fn check_features(app: &mut Manifest, name: &Name) -> Result<(), String> {
    let package = name.package();
    for (feature, asks) in
        app.table(&["features"])?.iter().filter(|(feature, _)| !["default", name.as_str()].contains(feature))
    {
        let asks = asks.as_array().into_iter().flatten().filter_map(|asked| asked.as_str());
        if asks.into_iter().any(|asked| asked == name.as_str() || is_word_in(asked, &package)) {
            return Err(format!("the feature {feature} of the app still asks for {name}: see to that first"));
        }
    }
    Ok(())
}

/// A setting for a blueprint that there is not stops the start.
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
            return Err(format!("{path} still has settings for the blueprint {name}: take them out first"));
        }
    }
    Ok(())
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect()
}

fn is_word_in(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.split(|c| !is_part(c)).any(|other| other == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_asks_for_it_is_named() {
        let app = |more: &str| {
            let text = format!("[features]\ndefault = [\"stock\"]\nstock = [\"dep:blueprint-stock\"]\n{more}");
            check_features(&mut Manifest::new(APP, &text).unwrap(), &"stock".parse().unwrap())
        };
        assert_eq!(app("shop = [\"stocks\"]\n"), Ok(()));
        assert_eq!(
            app("shop = [\"stock\"]\n").unwrap_err(),
            "the feature shop of the app still asks for stock: see to that first"
        );
        assert!(app("shop = [\"blueprint-stock/more\"]\n").is_err());
    }

    #[test]
    fn a_name_is_a_whole_word() {
        assert!(is_word_in("blueprint-stock = { workspace = true }", "blueprint-stock"));
        assert!(!is_word_in("blueprint-stock-levels.workspace = true", "blueprint-stock"));
        assert_eq!(without_comments("# blueprint-stock\na = 1\n"), "a = 1\n");
    }
}
