//! Why blueprints cannot be served together.

use crate::settings::SettingsError;

/// Blueprints that cannot be served together, or not as they are set. The message is a sentence that names both sides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// `blueprints.enabled` names a blueprint that is not compiled in.
    #[error("blueprints.enabled names {name}; this program has {}", available.join(", "))]
    UnknownBlueprint {
        /// The unknown name.
        name: String,
        /// The names of those that are compiled in.
        available: Vec<&'static str>,
    },
    /// A name is not in lower case with hyphens.
    #[error("a blueprint has the name `{name}`: it must be lower case, in words with hyphens")]
    InvalidName {
        /// The name.
        name: &'static str,
    },
    /// A prefix is not a path such as `/orders`.
    #[error("the blueprint {blueprint} has the prefix `{prefix}`: it must look like /{blueprint}")]
    InvalidPrefix {
        /// The blueprint that has it.
        blueprint: &'static str,
        /// The prefix.
        prefix: String,
    },
    /// A prefix hides a page of the service itself.
    #[error("the prefix {prefix} of the blueprint {blueprint} shadows {page}, which is the service's own")]
    PrefixShadowsPage {
        /// The blueprint that has it.
        blueprint: &'static str,
        /// The prefix.
        prefix: String,
        /// The path of the page.
        page: &'static str,
    },
    /// Two blueprints have one name.
    #[error("two blueprints have the name {name}")]
    DuplicateName {
        /// The name.
        name: &'static str,
    },
    /// One blueprint's prefix is the beginning of another's.
    #[error("the prefix {prefix} of the blueprint {blueprint} and {other_prefix} of {other} shadow each other")]
    PrefixConflict {
        /// One of the two.
        blueprint: &'static str,
        /// Its prefix.
        prefix: String,
        /// The other one.
        other: &'static str,
        /// The other one's prefix.
        other_prefix: String,
    },
    /// A blueprint is served here, and a setting says that it runs in another process.
    #[error("{setting} says that {needed} runs elsewhere, but it is served here too: take one of them away")]
    ServedHereToo {
        /// The setting.
        setting: String,
        /// The blueprint that is served.
        needed: &'static str,
    },
    /// A blueprint that another one needs is not enabled.
    #[error("the blueprint {blueprint} needs {needed}, which blueprints.enabled leaves out: enable it{}", or_set(.setting))]
    NeedNotEnabled {
        /// The blueprint that needs the other one.
        blueprint: &'static str,
        /// The one that it needs.
        needed: &'static str,
        /// The setting that would do instead.
        setting: Option<String>,
    },
    /// A blueprint that another one needs is not compiled in.
    #[error("the blueprint {blueprint} needs {needed}, which this program does not have: build it in{}", or_set(.setting))]
    NeedNotBuilt {
        /// The blueprint that needs the other one.
        blueprint: &'static str,
        /// The one that it needs.
        needed: &'static str,
        /// The setting that would do instead.
        setting: Option<String>,
    },
    /// Blueprints need each other.
    #[error("these blueprints need each other: {}", cycle.join(" → "))]
    Cycle {
        /// The names, the first one again at the end.
        cycle: Vec<&'static str>,
    },
    /// Two blueprints provide one type.
    #[error("the blueprints {blueprint} and {other} both provide {provided}: one must not")]
    ProvidedTwice {
        /// The first of the two.
        blueprint: &'static str,
        /// The second.
        other: &'static str,
        /// The type.
        provided: &'static str,
    },
    /// A resource has two routes with one method.
    #[error("the route {path} is there twice with one method: one hides the other")]
    DuplicateMethod {
        /// The path of the resource.
        path: String,
    },
    /// Two resources have one path, apart from the names of its parameters.
    #[error(
        "the route {route} of the blueprint {blueprint} is there twice, the other time as {other}: one hides the other"
    )]
    DuplicateRoute {
        /// Method and path of the first.
        route: String,
        /// The blueprint that has it.
        blueprint: &'static str,
        /// Method and path of the second.
        other: String,
    },
    /// A response-log rule is for a route that does not exist.
    #[error(
        "the blueprint {blueprint} has a response-log rule for `{rule}`, and no such route; `app routes` lists those it has"
    )]
    ResponseLogRule {
        /// The blueprint that has the rule.
        blueprint: &'static str,
        /// The route that the rule names.
        rule: String,
    },
    /// A rate limit is for a route that does not exist.
    #[error(
        "the blueprint {blueprint} has a rate limit for `{rule}`, and no such route; `app routes` lists those it has"
    )]
    RateLimit {
        /// The blueprint that has the limit.
        blueprint: &'static str,
        /// The route that the limit names.
        rule: String,
    },
    /// A blueprint's settings cannot be used.
    #[error("{0}")]
    Settings(#[from] SettingsError),
}

fn or_set(setting: &Option<String>) -> String {
    setting.as_ref().map(|setting| format!(", or set {setting}")).unwrap_or_default()
}
