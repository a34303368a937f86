//! Conflicts between blueprints.

use crate::settings::SettingsError;

/// Blueprints that conflict with each other or with their settings. The message names both sides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// `blueprints.enabled` names a blueprint that is not compiled in.
    #[error("blueprints.enabled: unknown blueprint `{name}`; compiled-in blueprints are {}", available.join(", "))]
    UnknownBlueprint {
        /// The unknown name.
        name: String,
        /// The names of all blueprints that are compiled in.
        available: Vec<&'static str>,
    },
    /// A name does not consist of lower-case letters, digits and hyphens.
    #[error("invalid blueprint name `{name}`: use lower-case letters, digits and hyphens")]
    InvalidName {
        /// The invalid name.
        name: &'static str,
    },
    /// A prefix is not a path such as `/orders`.
    #[error("the blueprint {blueprint} has the invalid prefix `{prefix}`: use a path such as /{blueprint}")]
    InvalidPrefix {
        /// The blueprint that has it.
        blueprint: &'static str,
        /// The prefix.
        prefix: String,
    },
    /// A prefix hides a path that the service itself serves.
    #[error(
        "the prefix {prefix} of the blueprint {blueprint} shadows {page}, which the service reserves: choose another prefix"
    )]
    PrefixShadowsPage {
        /// The blueprint that has it.
        blueprint: &'static str,
        /// The prefix.
        prefix: String,
        /// The reserved path.
        page: &'static str,
    },
    /// Two blueprints have the same name.
    #[error("two blueprints have the name {name}")]
    DuplicateName {
        /// The name.
        name: &'static str,
    },
    /// The prefix of one blueprint contains that of another.
    #[error("the prefix {prefix} of the blueprint {blueprint} overlaps {other_prefix} of {other}: change one of them")]
    PrefixConflict {
        /// One of the two.
        blueprint: &'static str,
        /// Its prefix.
        prefix: String,
        /// The other one.
        other: &'static str,
        /// The prefix of the other one.
        other_prefix: String,
    },
    /// A blueprint is served in this process, and a setting places it in another process.
    #[error(
        "{setting} is set, but the blueprint {dependency} also runs in this process: unset it, or remove {dependency} from \
         blueprints.enabled"
    )]
    DependencyRunsHere {
        /// The setting.
        setting: String,
        /// The blueprint that is served.
        dependency: &'static str,
    },
    /// A blueprint depends on one that is not enabled.
    #[error("the blueprint {blueprint} depends on {dependency}, which is not enabled: add it to blueprints.enabled{}", or_set(.setting))]
    DependencyNotEnabled {
        /// The dependent blueprint.
        blueprint: &'static str,
        /// Its dependency.
        dependency: &'static str,
        /// The setting that replaces the dependency, if there is one.
        setting: Option<String>,
    },
    /// A blueprint depends on one that is not compiled in.
    #[error("the blueprint {blueprint} depends on {dependency}, which is not compiled in: add it to the program{}", or_set(.setting))]
    DependencyNotCompiledIn {
        /// The dependent blueprint.
        blueprint: &'static str,
        /// Its dependency.
        dependency: &'static str,
        /// The setting that replaces the dependency, if there is one.
        setting: Option<String>,
    },
    /// Blueprints depend on each other.
    #[error("dependency cycle between blueprints: {}", cycle.join(" → "))]
    Cycle {
        /// The names; the last equals the first.
        cycle: Vec<&'static str>,
    },
    /// Two blueprints provide a value of the same type.
    #[error("the blueprints {blueprint} and {other} both provide {provided}: only one may provide it")]
    DuplicateProvider {
        /// The first of the two.
        blueprint: &'static str,
        /// The second.
        other: &'static str,
        /// The type.
        provided: &'static str,
    },
    /// A resource has two routes with the same method.
    #[error("duplicate route: {path} is registered twice with the same method")]
    DuplicateMethod {
        /// The path of the resource.
        path: String,
    },
    /// Two resources have the same path, apart from their parameter names.
    #[error("duplicate route: {route} of the blueprint {blueprint} and {other} match the same paths")]
    DuplicateRoute {
        /// Method and path of the first.
        route: String,
        /// The blueprint that has it.
        blueprint: &'static str,
        /// Method and path of the second.
        other: String,
    },
    /// A response-log rule names a route that does not exist.
    #[error(
        "the blueprint {blueprint} has a response-log rule for the unknown route `{rule}`; `app routes` lists its routes"
    )]
    UnknownResponseLogRoute {
        /// The blueprint that has the rule.
        blueprint: &'static str,
        /// The route that the rule names.
        rule: String,
    },
    /// A rate limit names a route that does not exist.
    #[error("the blueprint {blueprint} has a rate limit for the unknown route `{rule}`; `app routes` lists its routes")]
    UnknownRateLimitRoute {
        /// The blueprint that has the limit.
        blueprint: &'static str,
        /// The route that the limit names.
        rule: String,
    },
    /// A blueprint's settings are invalid.
    #[error("{0}")]
    Settings(#[from] SettingsError),
}

fn or_set(setting: &Option<String>) -> String {
    setting.as_ref().map(|setting| format!(", or set {setting}")).unwrap_or_default()
}
