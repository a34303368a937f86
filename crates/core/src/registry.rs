//! Which blueprints are served together, in which order, and why some cannot be.

use std::sync::Arc;

use serde_json::Value;

use crate::api::pages;
use crate::blueprint::{Blueprint, Need};
use crate::http::rules::Rules;
use crate::routes::RouteInfo;
use crate::settings::{Owner, Section, Settings, SettingsError};

/// Blueprints that cannot be served together, or not as they are set: a sentence for each problem, which names both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError(String);

impl RegistryError {
    pub(crate) fn new(said: impl Into<String>) -> Self {
        Self(said.into())
    }
}

impl std::fmt::Display for RegistryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RegistryError {}

impl From<SettingsError> for RegistryError {
    fn from(error: SettingsError) -> Self {
        Self(error.to_string())
    }
}

/// A blueprint that is compiled in.
#[derive(Clone)]
pub(crate) struct Registered {
    pub blueprint: Arc<dyn Blueprint>,
    /// The crate that it is from, whose logger lines are its own.
    module: &'static str,
}

impl Registered {
    pub fn new<B: Blueprint>(blueprint: B) -> Self {
        let type_name = std::any::type_name::<B>();
        let module = type_name.split("::").next().unwrap_or(type_name);
        Self { blueprint: Arc::new(blueprint), module }
    }

    fn name(&self) -> &'static str {
        self.blueprint.name()
    }
}

/// A blueprint that is served, with its settings in force.
#[derive(Clone)]
pub(crate) struct Enabled {
    pub blueprint: Arc<dyn Blueprint>,
    pub section: Section,
}

/// Picks the enabled blueprints, settles their settings, and checks that they go together. Each stands behind those that it
/// needs.
pub(crate) fn enabled(all: &[Registered], settings: &mut Settings) -> Result<Vec<Enabled>, RegistryError> {
    check_names(all)?;
    let chosen = settings.blueprints.enabled.clone();
    if let Some(unknown) = chosen.iter().flatten().find(|name| all.iter().all(|it| it.name() != *name)) {
        let said = format!("blueprints.enabled names {unknown}; this program has {}", names(all).join(", "));
        return Err(RegistryError(said));
    }
    let is_chosen = |name: &str| chosen.as_ref().is_none_or(|chosen| chosen.iter().any(|one| one == name));
    let owners = all.iter().map(|it| Owner {
        name: it.name(),
        settings: it.blueprint.settings(),
        enabled: is_chosen(it.name()),
    });
    let mut sections = settings.settle(&owners.collect::<Vec<_>>())?;
    let mut enabled = Vec::new();
    for Registered { blueprint, module } in all.iter().filter(|it| is_chosen(it.name())) {
        let section = sections.remove(blueprint.name()).unwrap_or_default();
        if section.log_level.is_some() {
            settings.forget_rust_log(module);
        }
        if let Some(level) = section.log_level.or(blueprint.log_level()) {
            settings.log.levels.entry((*module).to_owned()).or_insert(level);
        }
        enabled.push(Enabled { blueprint: Arc::clone(blueprint), section });
    }
    enabled.iter().try_for_each(|one| check_needs(one, &enabled, all))?;
    in_order(enabled)
}

fn names(all: &[Registered]) -> Vec<&'static str> {
    all.iter().map(Registered::name).collect()
}

fn check_names(all: &[Registered]) -> Result<(), RegistryError> {
    let refuse = |said: String| Err(RegistryError(said));
    for one in all {
        let (name, prefix) = (one.name(), one.blueprint.prefix());
        let is_word = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if name.is_empty() || !is_word(name) {
            return refuse(format!("a blueprint has the name `{name}`: it must be lower case, in words with hyphens"));
        }
        let fits = prefix.len() > 1 && prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains("//");
        if !fits {
            return refuse(format!("the blueprint {name} has the prefix `{prefix}`: it must look like /{name}"));
        }
        if let Some(own) = pages::PATHS.iter().find(|own| shadows(prefix, own)) {
            return refuse(format!(
                "the prefix {prefix} of the blueprint {name} shadows {own}, which is the service's own"
            ));
        }
    }
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            if one.name() == other.name() {
                return refuse(format!("two blueprints have the name {}", one.name()));
            }
            let (a, b) = (one.blueprint.prefix(), other.blueprint.prefix());
            if shadows(a, b) {
                return refuse(format!(
                    "the prefix {a} of the blueprint {} and {b} of {} shadow each other",
                    one.name(),
                    other.name()
                ));
            }
        }
    }
    Ok(())
}

/// Whether one path is the beginning of the other, parameters fitting anything.
fn shadows(a: &str, b: &str) -> bool {
    a.split('/').zip(b.split('/')).all(|(a, b)| a == b || a.starts_with('{') || b.starts_with('{'))
}

fn check_needs(one: &Enabled, enabled: &[Enabled], all: &[Registered]) -> Result<(), RegistryError> {
    let name = one.blueprint.name();
    for Need { blueprint: needed, unless } in one.blueprint.needs() {
        let is_enabled = enabled.iter().any(|other| other.blueprint.name() == needed);
        let is_set = unless
            .is_some_and(|setting| !matches!(one.section.own.pointer(&pointer(setting)), None | Some(Value::Null)));
        let setting = unless.map(|setting| format!("blueprints.{}.{setting}", name.replace('-', "_")));
        let or_set = setting.as_ref().map(|setting| format!(", or set {setting}")).unwrap_or_default();
        match (is_enabled, is_set) {
            (true, false) | (false, true) => {}
            (true, true) => {
                return Err(RegistryError(format!(
                    "{} says that {needed} runs elsewhere, but it is served here too: take one of them away",
                    setting.unwrap_or_default()
                )));
            }
            (false, false) if names(all).contains(&needed) => {
                return Err(RegistryError(format!(
                    "the blueprint {name} needs {needed}, which blueprints.enabled leaves out: enable it{or_set}"
                )));
            }
            (false, false) => {
                return Err(RegistryError(format!(
                    "the blueprint {name} needs {needed}, which this program does not have: build it in{or_set}"
                )));
            }
        }
    }
    Ok(())
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}

/// Puts each blueprint behind those that it needs, otherwise in the order that they came in.
fn in_order(mut waiting: Vec<Enabled>) -> Result<Vec<Enabled>, RegistryError> {
    let mut ordered: Vec<Enabled> = Vec::new();
    while !waiting.is_empty() {
        let waits = |one: &Enabled| {
            let needed = |need: &Need| waiting.iter().any(|other| other.blueprint.name() == need.blueprint);
            one.blueprint.needs().iter().any(needed)
        };
        let Some(at) = waiting.iter().position(|one| !waits(one)) else {
            return Err(RegistryError(format!("these blueprints need each other: {}", circle(&waiting).join(" → "))));
        };
        ordered.push(waiting.remove(at));
    }
    Ok(ordered)
}

/// One circle among blueprints that all wait for others.
fn circle(waiting: &[Enabled]) -> Vec<&'static str> {
    let mut way: Vec<&'static str> = Vec::new();
    let mut at = waiting.first();
    while let Some(one) = at {
        let name = one.blueprint.name();
        if let Some(begin) = way.iter().position(|before| *before == name) {
            return [&way[begin..], &[name]].concat();
        }
        way.push(name);
        let needs = one.blueprint.needs();
        at = waiting.iter().find(|other| needs.iter().any(|need| need.blueprint == other.blueprint.name()));
    }
    way
}

/// Refuses what only the routes themselves show: one of them twice, or a response-log rule for none.
pub(crate) fn check_routes(routes: &[RouteInfo], rules: &Rules) -> Result<(), RegistryError> {
    for (at, one) in routes.iter().enumerate() {
        // The router goes by the path alone: the second resource is never asked, whatever its methods.
        let same = |other: &&RouteInfo| one.path != other.path && shape(&one.path) == shape(&other.path);
        if let Some(other) = routes[at + 1..].iter().find(same) {
            return Err(RegistryError(format!(
                "the route {} {} of the blueprint {} is there twice, the other time as {} {}: one hides the other",
                one.method, one.path, one.blueprint, other.method, other.path
            )));
        }
    }
    rules.check(routes)
}

/// A path without the names of its parameters: what the router goes by.
fn shape(path: &str) -> Vec<&str> {
    let parameter = |segment| if str::starts_with(segment, '{') && !segment.contains(':') { "{}" } else { segment };
    path.split('/').map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::rules::Rules;
    use crate::settings::{Loader, ResponseLog};
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
        fn needs(&self) -> Vec<Need> {
            self.2.iter().map(|name| Need::of(name)).collect()
        }
    }

    const USERS: Named = Named("users", "/users", &[]);
    const ORDERS: Named = Named("orders", "/orders", &["users"]);

    fn check(blueprints: &[Named], chosen: &str) -> Result<Vec<&'static str>, String> {
        let all: Vec<Registered> = blueprints.iter().map(|it| Registered::new(*it)).collect();
        let loader = Loader::new("/nonexistent").variables([("APP__BLUEPRINTS__ENABLED", chosen)]);
        let mut settings = loader.load().expect("the settings are good");
        let enabled = enabled(&all, &mut settings).map_err(|error| error.to_string())?;
        Ok(enabled.iter().map(|one| one.blueprint.name()).collect())
    }

    fn refusal(blueprints: &[Named], chosen: &str) -> String {
        check(blueprints, chosen).expect_err("they do not go together")
    }

    #[test]
    fn clashes_are_refused_and_both_sides_named() {
        let clash = refusal(&[USERS, Named("staff", "/users/staff", &[])], "");
        assert_eq!(clash, "the prefix /users of the blueprint users and /users/staff of staff shadow each other");
        let all = refusal(&[Named("any", "/{any}", &[])], "");
        assert_eq!(all, "the prefix /{any} of the blueprint any shadows /openapi.json, which is the service's own");
        assert_eq!(refusal(&[USERS, Named("users", "/people", &[])], ""), "two blueprints have the name users");
        let own = refusal(&[Named("docs", "/docs", &[])], "");
        assert_eq!(own, "the prefix /docs of the blueprint docs shadows /docs, which is the service's own");
        assert!(refusal(&[Named("users", "users", &[])], "").contains("it must look like /users"));
        assert!(refusal(&[Named("Users", "/users", &[])], "").contains("it must be lower case"));
        assert!(check(&[USERS, Named("user", "/user", &[])], "").is_ok());
    }

    #[test]
    fn some_of_them_may_be_enabled() {
        assert_eq!(check(&[USERS, ORDERS], "users").expect("it needs nobody"), ["users"]);
        let unknown = refusal(&[USERS, ORDERS], "stock");
        assert_eq!(unknown, "blueprints.enabled names stock; this program has users, orders");
    }

    #[test]
    fn each_stands_behind_those_that_it_needs() {
        assert_eq!(check(&[ORDERS, USERS], "").expect("they go together"), ["users", "orders"]);
        assert_eq!(
            refusal(&[USERS, ORDERS], "orders"),
            "the blueprint orders needs users, which blueprints.enabled leaves out: enable it"
        );
        assert_eq!(
            refusal(&[ORDERS], ""),
            "the blueprint orders needs users, which this program does not have: build it in"
        );
    }

    #[test]
    fn a_circle_is_told_whole() {
        let a = Named("a", "/a", &["b"]);
        let b = Named("b", "/b", &["c"]);
        let c = Named("c", "/c", &["b"]);
        assert_eq!(refusal(&[a, b, c], ""), "these blueprints need each other: b → c → b");
    }

    #[test]
    fn a_route_that_is_there_twice_is_refused() {
        let route = |method: &str, path: &str| RouteInfo {
            method: method.into(),
            path: path.into(),
            blueprint: "stock",
            response_log: ResponseLog::Body,
        };
        let check = |routes: &[RouteInfo]| {
            check_routes(routes, &Rules::new(ResponseLog::Body, &[])).map_err(|error| error.to_string())
        };
        assert_eq!(check(&[route("GET", "/stock/{id}"), route("PUT", "/stock/{id}"), route("GET", "/stock")]), Ok(()));
        // The second is never asked, whatever its methods.
        for method in ["GET", "PUT"] {
            let refusal = check(&[route("GET", "/stock/{id}"), route(method, "/stock/{sku}")]).expect_err("is refused");
            assert_eq!(
                refusal,
                format!(
                    "the route GET /stock/{{id}} of the blueprint stock is there twice, the other time as {method} \
                     /stock/{{sku}}: one hides the other"
                )
            );
        }
    }
}
