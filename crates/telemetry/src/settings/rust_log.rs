//! `RUST_LOG`, as `log.level` and `log.levels`. Every layer but the defaults takes precedence over it.

use cyanotype_settings::VariableValues;
use tracing::metadata::LevelFilter;

use crate::level::Level;

pub(super) const NAME: &str = "RUST_LOG";

/// The settings in the variable's value, and a warning for each part that has no equivalent setting.
pub(super) fn read(text: &str) -> VariableValues {
    let mut read = VariableValues::default();
    for (at, part) in parts(text).into_iter().map(str::trim).enumerate().filter(|(_, part)| !part.is_empty()) {
        match setting(part) {
            Ok((key, level)) => read.values.push((key, level.to_owned())),
            // The text is not quoted, because it may be a secret.
            Err(problem) => read.warnings.push(format!("{NAME}: part {} is ignored: {problem}", at + 1)),
        }
    }
    read
}

/// Splits at commas, except those inside a span's fields: `[checkout{a=1,b=2}]=debug`.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let is_end = |character| {
        depth += i32::from(matches!(character, '[' | '{')) - i32::from(matches!(character, ']' | '}'));
        character == ',' && depth <= 0
    };
    text.split(is_end).collect()
}

/// The key and the level that a part sets: `debug`, `hyper=info`, or `hyper`, which enables every level.
fn setting(part: &str) -> Result<(String, &'static str), &'static str> {
    let (module, word) = match part.split_once('=') {
        Some((module, word)) => (Some(module.trim()), word.trim()),
        None if level(part).is_some() => (None, part),
        None => (Some(part), Level::Trace.as_str()),
    };
    let is_path = |module: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
        !module.is_empty() && module.chars().all(is_part)
    };
    match (module, level(word)) {
        (None, Some("off")) => Err("`off` would hide failures; set APP__LOG__MODE=off to disable all logging"),
        (None, Some(level)) => Ok(("log.level".to_owned(), level)),
        // Libraries log nothing above error, so this turns a library off.
        (Some(module), Some("off")) if is_path(module) => Ok((format!("log.levels.{}", path(module)), "critical")),
        (Some(module), Some(level)) if is_path(module) => Ok((format!("log.levels.{}", path(module)), level)),
        _ => Err("it is neither LEVEL nor MODULE=LEVEL"),
    }
}

/// A crate's name in module paths.
fn path(module: &str) -> String {
    module.replace('-', "_")
}

/// Normalizes a level in either spelling (`WARN`, `2`, `warning`) to its name in the settings; `off` stays `off`.
fn level(word: &str) -> Option<&'static str> {
    if let Some(name) = Level::NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(word)) {
        return Some(name);
    }
    // `tracing` parses an empty string as a level too.
    let filter: LevelFilter = (!word.is_empty()).then(|| word.parse().ok()).flatten()?;
    Some(filter.into_level().map_or("off", |level| Level::from(level).as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Vec<(String, String)>, usize) {
        let VariableValues { values, warnings } = read(text);
        (values, warnings.len())
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)], warnings: usize) {
        let expected = expected.iter().map(|(key, level)| ((*key).to_owned(), (*level).to_owned())).collect();
        assert_eq!(of(text), (expected, warnings), "{text}");
    }

    #[test]
    fn a_part_sets_the_level_or_a_module_level() {
        check("", &[], 0);
        check("debug", &[("log.level", "debug")], 0);
        check("WARN", &[("log.level", "warning")], 0);
        check("warning", &[("log.level", "warning")], 0);
        check("4", &[("log.level", "debug")], 0);
        check("a::b = trace ,, error", &[("log.levels.a::b", "trace"), ("log.level", "error")], 0);
        check("hyper-util", &[("log.levels.hyper_util", "trace")], 0);
        check("hyper=off", &[("log.levels.hyper", "critical")], 0);
    }

    #[test]
    fn unsupported_parts_are_warnings() {
        for one in
            ["off", "[checkout]=debug", "a[b{c=1,d=2}]=debug", "a=loud", "a=", "=debug", "a.b=debug", "a=b=info", "a/b"]
        {
            check(one, &[], 1);
        }
        check("[a{b=1,c=2}]=info,hyper=info,[d]", &[("log.levels.hyper", "info")], 2);
        let warnings = read("info,hunter2 hunter2").warnings;
        assert_eq!(warnings, ["RUST_LOG: part 2 is ignored: it is neither LEVEL nor MODULE=LEVEL"]);
    }
}
