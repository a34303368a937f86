//! Selects the enabled blueprints, checks them for conflicts and orders them by their dependencies.

use std::sync::Arc;

use cyanotype_actix::response_log::ResponseLogRules;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::error::RegistryError;
use super::{Blueprint, Dependency};
use crate::api::pages;
use crate::limits::RateLimits;
use crate::settings::{self, BlueprintDeclaration, BlueprintValues, ResponseLog, Settings};

/// A blueprint that is compiled in.
#[derive(Clone)]
pub(crate) struct RegisteredBlueprint {
    pub blueprint: Arc<dyn Blueprint>,
    /// Its crate, for the level of its log lines.
    module: &'static str,
}

impl RegisteredBlueprint {
    pub(crate) fn new<B: Blueprint>(blueprint: B) -> Self {
        let type_name = std::any::type_name::<B>();
        let module = type_name.split("::").next().unwrap_or(type_name);
        Self { blueprint: Arc::new(blueprint), module }
    }

    fn name(&self) -> &'static str {
        self.blueprint.name()
    }
}

/// A blueprint that is served, with its effective settings.
#[derive(Clone)]
pub(crate) struct EnabledBlueprint {
    pub blueprint: Arc<dyn Blueprint>,
    pub section: BlueprintValues,
}

impl EnabledBlueprint {
    /// How much of its responses is logged: its own rules, limited by its settings.
    pub(crate) fn response_log(&self) -> ResponseLogRules {
        self.blueprint.response_log().at_most(self.section.response_log.unwrap_or(ResponseLog::Body))
    }

    /// Its rate limits, with those of its settings applied.
    pub(crate) fn rate_limits(&self) -> RateLimits {
        let set = &self.section.rate_limit;
        let mut limits = self.blueprint.rate_limits();
        limits.all = set.apply_to(limits.all);
        set.routes.iter().fold(limits, |limits, route| limits.route(&route.route, route.rate))
    }
}

/// Each blueprint's name and its part of the OpenAPI document.
pub(crate) fn apis(blueprints: &[EnabledBlueprint]) -> impl Iterator<Item = (&'static str, OpenApi)> {
    blueprints.iter().map(|enabled| (enabled.blueprint.name(), enabled.blueprint.api()))
}

/// Selects the enabled blueprints, resolves their settings, and checks them for conflicts. Returns them
/// in dependency order: dependencies first.
pub(crate) fn select_enabled(
    all: &[RegisteredBlueprint],
    settings: &mut Settings,
) -> Result<Vec<EnabledBlueprint>, RegistryError> {
    check_names(all)?;
    let chosen = settings.blueprints.enabled.clone();
    if let Some(unknown) = chosen.iter().flatten().find(|name| all.iter().all(|it| it.name() != *name)) {
        return Err(RegistryError::UnknownBlueprint { name: unknown.clone(), available: names(all) });
    }
    let is_chosen = |name: &str| chosen.as_ref().is_none_or(|chosen| chosen.iter().any(|one| one == name));
    let declarations = all.iter().map(|it| BlueprintDeclaration {
        name: it.name(),
        settings: it.blueprint.settings(),
        enabled: is_chosen(it.name()),
    });
    let mut sections = settings::resolve(settings, &declarations.collect::<Vec<_>>())?;
    let mut enabled = Vec::new();
    for RegisteredBlueprint { blueprint, module } in all.iter().filter(|it| is_chosen(it.name())) {
        let section = sections.remove(blueprint.name()).unwrap_or_default();
        if section.log_level.is_some() {
            cyanotype_telemetry::settings::remove_rust_log_level(
                &mut settings.sections.log,
                &mut settings.origins,
                module,
            );
        }
        if let Some(level) = section.log_level.or(blueprint.log_level()) {
            settings.log.levels.entry((*module).to_owned()).or_insert(level);
        }
        enabled.push(EnabledBlueprint { blueprint: Arc::clone(blueprint), section });
    }
    enabled.iter().try_for_each(|one| check_dependencies(one, &enabled, all))?;
    topological_order(enabled)
}

fn names(all: &[RegisteredBlueprint]) -> Vec<&'static str> {
    all.iter().map(RegisteredBlueprint::name).collect()
}

fn check_names(all: &[RegisteredBlueprint]) -> Result<(), RegistryError> {
    for one in all {
        let (name, prefix) = (one.name(), one.blueprint.prefix());
        let is_word = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if name.is_empty() || !is_word(name) {
            return Err(RegistryError::InvalidName { name });
        }
        let is_valid = prefix.len() > 1 && prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains("//");
        if !is_valid {
            return Err(RegistryError::InvalidPrefix { blueprint: name, prefix: prefix.to_owned() });
        }
        if let Some(page) = pages::PATHS.into_iter().find(|page| shadows(prefix, page)) {
            return Err(RegistryError::PrefixShadowsPage { blueprint: name, prefix: prefix.to_owned(), page });
        }
    }
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            if one.name() == other.name() {
                return Err(RegistryError::DuplicateName { name: one.name() });
            }
            let (prefix, other_prefix) = (one.blueprint.prefix(), other.blueprint.prefix());
            if shadows(prefix, other_prefix) {
                return Err(RegistryError::PrefixConflict {
                    blueprint: one.name(),
                    prefix: prefix.to_owned(),
                    other: other.name(),
                    other_prefix: other_prefix.to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// Whether one path is a prefix of the other; a parameter matches any segment.
fn shadows(a: &str, b: &str) -> bool {
    a.split('/').zip(b.split('/')).all(|(a, b)| a == b || a.starts_with('{') || b.starts_with('{'))
}

fn check_dependencies(
    one: &EnabledBlueprint,
    enabled: &[EnabledBlueprint],
    all: &[RegisteredBlueprint],
) -> Result<(), RegistryError> {
    let name = one.blueprint.name();
    for Dependency { blueprint: dependency, setting: setting_key } in one.blueprint.dependencies() {
        let is_enabled = enabled.iter().any(|other| other.blueprint.name() == dependency);
        let is_set = setting_key
            .is_some_and(|setting| !matches!(one.section.own.pointer(&pointer(setting)), None | Some(Value::Null)));
        let setting = setting_key.map(|setting| format!("blueprints.{}.{setting}", name.replace('-', "_")));
        match (is_enabled, is_set) {
            (true, false) | (false, true) => {}
            (true, true) => {
                return Err(RegistryError::DependencyRunsHere { setting: setting.unwrap_or_default(), dependency });
            }
            (false, false) if names(all).contains(&dependency) => {
                return Err(RegistryError::DependencyNotEnabled { blueprint: name, dependency, setting });
            }
            (false, false) => {
                return Err(RegistryError::DependencyNotCompiledIn { blueprint: name, dependency, setting });
            }
        }
    }
    Ok(())
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}

/// Puts blueprints in dependency order: dependencies first; otherwise keeps their order.
fn topological_order(mut waiting: Vec<EnabledBlueprint>) -> Result<Vec<EnabledBlueprint>, RegistryError> {
    let mut ordered: Vec<EnabledBlueprint> = Vec::new();
    while !waiting.is_empty() {
        let waits = |one: &EnabledBlueprint| {
            let is_waiting = |on: &Dependency| waiting.iter().any(|other| other.blueprint.name() == on.blueprint);
            one.blueprint.dependencies().iter().any(is_waiting)
        };
        let Some(at) = waiting.iter().position(|one| !waits(one)) else {
            return Err(RegistryError::Cycle { cycle: find_cycle(&waiting) });
        };
        ordered.push(waiting.remove(at));
    }
    Ok(ordered)
}

/// One cycle among blueprints that all wait for another.
fn find_cycle(waiting: &[EnabledBlueprint]) -> Vec<&'static str> {
    let mut path: Vec<&'static str> = Vec::new();
    let mut at = waiting.first();
    while let Some(one) = at {
        let name = one.blueprint.name();
        if let Some(begin) = path.iter().position(|before| *before == name) {
            return [&path[begin..], &[name]].concat();
        }
        path.push(name);
        let dependencies = one.blueprint.dependencies();
        at = waiting.iter().find(|other| dependencies.iter().any(|on| on.blueprint == other.blueprint.name()));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Loader;
    use actix_web::web::ServiceConfig;

    #[derive(Clone, Copy)]
    struct Named(&'static str, &'static str, &'static [&'static str]);

    impl Blueprint for Named {
        fn name(&self) -> &'static str {
            self.0
        }
        fn prefix(&self) -> &str {
            self.1
        }
        fn routes(&self, _: &mut ServiceConfig) {}
        fn dependencies(&self) -> Vec<Dependency> {
            self.2.iter().map(|name| Dependency::on(name)).collect()
        }
    }

    const USERS: Named = Named("users", "/users", &[]);
    const ORDERS: Named = Named("orders", "/orders", &["users"]);

    fn check(blueprints: &[Named], chosen: &str) -> Result<Vec<&'static str>, String> {
        let all: Vec<RegisteredBlueprint> = blueprints.iter().map(|it| RegisteredBlueprint::new(*it)).collect();
        let loader = Loader::new("/nonexistent").variables([("APP__BLUEPRINTS__ENABLED", chosen)]);
        let mut settings = loader.load().expect("valid settings");
        let enabled = select_enabled(&all, &mut settings).map_err(|error| error.to_string())?;
        Ok(enabled.iter().map(|one| one.blueprint.name()).collect())
    }

    fn rejection(blueprints: &[Named], chosen: &str) -> String {
        check(blueprints, chosen).expect_err("a conflict")
    }

    #[test]
    fn conflicts_are_rejected_and_name_both_sides() {
        let overlap = rejection(&[USERS, Named("staff", "/users/staff", &[])], "");
        let expected = "the prefix /users of the blueprint users overlaps /users/staff of staff: change one of them";
        assert_eq!(overlap, expected);
        let all = rejection(&[Named("any", "/{any}", &[])], "");
        let expected = "the prefix /{any} of the blueprint any shadows /openapi.json, which the service reserves: choose \
                        another prefix";
        assert_eq!(all, expected);
        assert_eq!(rejection(&[USERS, Named("users", "/people", &[])], ""), "two blueprints have the name users");
        let own = rejection(&[Named("docs", "/docs", &[])], "");
        let expected = "the prefix /docs of the blueprint docs shadows /docs, which the service reserves: choose another \
                        prefix";
        assert_eq!(own, expected);
        assert!(rejection(&[Named("users", "users", &[])], "").contains("use a path such as /users"));
        assert!(rejection(&[Named("Users", "/users", &[])], "").contains("use lower-case letters"));
        assert!(check(&[USERS, Named("user", "/user", &[])], "").is_ok());
    }

    #[test]
    fn a_subset_of_blueprints_can_be_enabled() {
        assert_eq!(check(&[USERS, ORDERS], "users").expect("no dependencies"), ["users"]);
        let unknown = rejection(&[USERS, ORDERS], "stock");
        assert_eq!(unknown, "blueprints.enabled: unknown blueprint `stock`; compiled-in blueprints are users, orders");
    }

    #[test]
    fn dependencies_come_first() {
        assert_eq!(check(&[ORDERS, USERS], "").expect("no conflict"), ["users", "orders"]);
        assert_eq!(
            rejection(&[USERS, ORDERS], "orders"),
            "the blueprint orders depends on users, which is not enabled: add it to blueprints.enabled"
        );
        assert_eq!(
            rejection(&[ORDERS], ""),
            "the blueprint orders depends on users, which is not compiled in: add it to the program"
        );
    }

    #[test]
    fn a_dependency_cycle_is_reported_in_full() {
        let a = Named("a", "/a", &["b"]);
        let b = Named("b", "/b", &["c"]);
        let c = Named("c", "/c", &["b"]);
        assert_eq!(rejection(&[a, b, c], ""), "dependency cycle between blueprints: b → c → b");
    }
}
