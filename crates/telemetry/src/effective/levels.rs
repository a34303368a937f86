//! Minimum levels of log lines by module.

use std::collections::BTreeMap;

use crate::level::Level;

/// Libraries that are noisy at info. Their minimum level is warning, unless `log.levels` sets one for them.
const WARNING_AND_ABOVE: [&str; 2] = ["actix_server", "refinery_core"];

/// A library whose own thread repeatedly logs failures that this service records once. Its minimum level is critical, unless
/// `log.levels` sets one for it.
const CRITICAL_ONLY: &str = "open_feature_flagd";

/// The levels of modules, longest path first.
#[derive(Debug, Clone, Default)]
pub(super) struct ModuleLevels(Vec<(String, Level)>);

impl ModuleLevels {
    pub(super) fn new(levels: &BTreeMap<String, Level>) -> Self {
        let mut levels: Vec<_> = levels.iter().map(|(module, level)| (module.clone(), *level)).collect();
        levels.sort_by_key(|(module, _)| std::cmp::Reverse(module.len()));
        Self(levels)
    }

    /// The level of the longest module path that contains the target.
    pub(super) fn of(&self, target: &str) -> Option<Level> {
        self.0.iter().find(|(module, _)| is_in_module(target, module)).map(|(_, level)| *level)
    }

    pub(super) fn min_level(&self) -> Option<Level> {
        self.0.iter().map(|(_, level)| *level).min()
    }
}

/// The minimum level of a target that `log.levels` has no entry for; `level` is `log.level`.
pub(super) fn default_level(target: &str, level: Level) -> Level {
    if is_in_module(target, CRITICAL_ONLY) {
        return Level::Critical;
    }
    if WARNING_AND_ABOVE.iter().any(|module| is_in_module(target, module)) { level.max(Level::Warning) } else { level }
}

/// Whether a target is this module or one of its submodules.
pub(crate) fn is_in_module(target: &str, module: &str) -> bool {
    target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_matching_path_wins() {
        let levels = [("app::db", Level::Debug), ("app", Level::Error)];
        let levels = ModuleLevels::new(&levels.into_iter().map(|(module, level)| (module.to_owned(), level)).collect());
        assert_eq!(levels.of("app::db::pool"), Some(Level::Debug));
        assert_eq!(levels.of("app::http"), Some(Level::Error));
        assert_eq!(levels.of("application"), None);
        assert_eq!(levels.min_level(), Some(Level::Debug));
    }

    #[test]
    fn noisy_libraries_have_a_higher_default_level() {
        assert_eq!(default_level("actix_server::worker", Level::Info), Level::Warning);
        assert_eq!(default_level("actix_server", Level::Error), Level::Error);
        assert_eq!(default_level("actix_server_x", Level::Info), Level::Info);
        assert_eq!(default_level("open_feature_flagd::resolver", Level::Trace), Level::Critical);
    }
}
