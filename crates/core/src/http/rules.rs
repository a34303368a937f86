//! How much is recorded of which response.

use crate::api::pages;
use crate::registry::{Enabled, RegistryError};
use crate::routes::RouteInfo;
use crate::settings::ResponseLog;

/// What a blueprint asks to be recorded of its responses: one word for all of them, and others for single routes.
///
/// The settings have the last word, and it can only be for less: with `log.response.body` at `metadata` nothing that is
/// asked for here shows a body.
///
/// ```
/// use cyanotype::{ResponseLog, ResponseLogRules};
///
/// let rules = ResponseLogRules::all(ResponseLog::Body)
///     .route("GET /reports/{id}/pages", ResponseLog::Metadata)
///     .route("/reports/status", ResponseLog::Off);
/// ```
#[derive(Debug, Clone)]
pub struct ResponseLogRules {
    all: ResponseLog,
    routes: Vec<(String, ResponseLog)>,
}

impl Default for ResponseLogRules {
    fn default() -> Self {
        Self::all(ResponseLog::Body)
    }
}

impl ResponseLogRules {
    #[must_use]
    pub fn all(log: ResponseLog) -> Self {
        Self { all: log, routes: Vec::new() }
    }

    /// Another word for one route, written as `app routes` lists it; without a method it is for all of them. One that
    /// there is not stops the start.
    #[must_use]
    pub fn route(mut self, route: &str, log: ResponseLog) -> Self {
        self.routes.push((route.to_owned(), log));
        self
    }
}

impl ResponseLogRules {
    fn at_most(mut self, most: ResponseLog) -> Self {
        self.all = self.all.min(most);
        self.routes.iter_mut().for_each(|(_, log)| *log = (*log).min(most));
        self
    }
}

/// The rules of all blueprints, under the settings' own.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    most: ResponseLog,
    blueprints: Vec<(&'static str, ResponseLogRules)>,
}

impl Rules {
    /// `most` is what the settings allow; a blueprint's own may allow less.
    pub fn new(most: ResponseLog, blueprints: &[Enabled]) -> Self {
        let rules = blueprints.iter().map(|Enabled { blueprint, section }| {
            let most = section.response_log.unwrap_or(ResponseLog::Body);
            (blueprint.name(), blueprint.response_log().at_most(most))
        });
        Self { most, blueprints: rules.collect() }
    }

    /// How much is recorded of what this blueprint answers on this route.
    pub fn of(&self, blueprint: Option<&str>, method: &str, route: Option<&str>) -> ResponseLog {
        if blueprint.is_none() && route.is_some_and(pages::is_own) {
            // Everybody has the document anyway.
            return ResponseLog::Metadata.min(self.most);
        }
        let rules = self.blueprints.iter().find(|(name, _)| Some(*name) == blueprint).map(|(_, rules)| rules);
        let asked = rules.map_or(ResponseLog::Body, |rules| {
            let own = route.and_then(|route| rules.routes.iter().find(|(rule, _)| is_for(rule, method, route)));
            own.map_or(rules.all, |(_, log)| *log)
        });
        asked.min(self.most)
    }

    /// Refuses a rule for a route that there is not.
    pub fn check(&self, routes: &[RouteInfo]) -> Result<(), RegistryError> {
        for (name, rules) in &self.blueprints {
            if let Some((rule, _)) = rules.routes.iter().find(|(rule, _)| !exists(rule, name, routes)) {
                return Err(RegistryError::new(format!(
                    "the blueprint {name} has a response-log rule for `{rule}`, and no such route; `app routes` lists those \
                     it has"
                )));
            }
        }
        Ok(())
    }
}

/// Whether a blueprint has a route that a rule is for.
pub(super) fn exists(rule: &str, blueprint: &str, routes: &[RouteInfo]) -> bool {
    let path = rule.split_once(' ').map_or(rule, |(_, path)| path);
    let mut own = routes.iter().filter(|route| route.blueprint == blueprint);
    // A resource without methods of its own answers to any.
    own.any(|route| is_for(rule, &route.method, &route.path) || route.method == "*" && route.path == path)
}

/// Whether a rule, `GET /users/{id}` or `/users/{id}`, is for a route. HEAD is routed as GET.
pub(super) fn is_for(rule: &str, method: &str, route: &str) -> bool {
    match rule.split_once(' ') {
        Some((of, path)) => (of == method || of == "GET" && method == "HEAD") && path == route,
        None => rule == route,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(most: ResponseLog) -> Rules {
        let reports = ResponseLogRules::all(ResponseLog::Metadata)
            .route("GET /reports/{id}", ResponseLog::Body)
            .route("/reports/status", ResponseLog::Off);
        Rules { most, blueprints: vec![("reports", reports)] }
    }

    #[test]
    fn the_route_has_the_say_then_its_blueprint_and_the_settings_the_last() {
        let of = |most, blueprint, method, route| rules(most).of(blueprint, method, route);
        let (blueprint, id) = (Some("reports"), Some("/reports/{id}"));
        assert_eq!(of(ResponseLog::Body, blueprint, "GET", id), ResponseLog::Body);
        assert_eq!(of(ResponseLog::Body, blueprint, "PUT", id), ResponseLog::Metadata);
        assert_eq!(of(ResponseLog::Body, blueprint, "PUT", Some("/reports/status")), ResponseLog::Off);
        assert_eq!(of(ResponseLog::Body, blueprint, "GET", None), ResponseLog::Metadata);
        assert_eq!(of(ResponseLog::Body, None, "GET", None), ResponseLog::Body);
        assert_eq!(of(ResponseLog::Metadata, blueprint, "GET", id), ResponseLog::Metadata);
        assert_eq!(of(ResponseLog::Off, blueprint, "GET", id), ResponseLog::Off);
    }

    #[test]
    fn a_rule_for_no_route_is_refused() {
        let route = |method: &str, path: &str| RouteInfo {
            method: method.into(),
            path: path.into(),
            blueprint: "reports",
            response_log: ResponseLog::Body,
        };
        let routes = [route("GET", "/reports/{id}"), route("GET", "/reports/status")];
        assert_eq!(rules(ResponseLog::Body).check(&routes), Ok(()));
        let refusal = rules(ResponseLog::Body).check(&routes[..1]).expect_err("there is no such route").to_string();
        assert!(refusal.contains("the blueprint reports has a response-log rule for `/reports/status`"), "{refusal}");
    }

    #[test]
    fn a_rule_is_for_a_method_and_a_path_or_for_all_methods_of_a_path() {
        for (rule, method, route, expected) in [
            ("GET /a", "GET", "/a", true),
            ("GET /a", "HEAD", "/a", true),
            ("GET /a", "POST", "/a", false),
            ("POST /a", "HEAD", "/a", false),
            ("HEAD /a", "GET", "/a", false),
            ("POST /a", "POST", "/a", true),
            ("GET /a", "GET", "/b", false),
            ("GET /a", "HEAD", "/b", false),
            ("/a", "PUT", "/a", true),
            ("/a", "PUT", "/b", false),
        ] {
            assert_eq!(is_for(rule, method, route), expected, "{rule} for {method} {route}");
        }
    }

    #[test]
    fn a_rule_exists_where_its_blueprint_has_such_a_route() {
        let route = |method: &str, path: &str| RouteInfo {
            method: method.into(),
            path: path.into(),
            blueprint: "reports",
            response_log: ResponseLog::Body,
        };
        let routes = [route("GET", "/a"), route("*", "/b")];
        for (rule, blueprint, expected) in [
            ("GET /a", "reports", true),
            ("GET /a", "orders", false),
            ("POST /a", "reports", false),
            ("/a", "reports", true),
            ("PUT /b", "reports", true),
            ("/b", "reports", true),
            ("PUT /c", "reports", false),
            ("/c", "reports", false),
        ] {
            assert_eq!(exists(rule, blueprint, &routes), expected, "{rule} of {blueprint}");
        }
    }

    #[test]
    fn a_blueprints_section_lowers_all_of_its_rules() {
        let own = ResponseLogRules::all(ResponseLog::Body).route("/a", ResponseLog::Body).route("/b", ResponseLog::Off);
        let most = own.at_most(ResponseLog::Metadata);
        assert_eq!(most.all, ResponseLog::Metadata);
        assert_eq!(most.routes, [("/a".into(), ResponseLog::Metadata), ("/b".into(), ResponseLog::Off)]);
        assert_eq!(ResponseLogRules::default().all, ResponseLog::Body);
    }

    #[test]
    fn of_the_api_document_no_body_is_recorded() {
        let of = |most, blueprint, route| rules(most).of(blueprint, "GET", Some(route));
        assert_eq!(of(ResponseLog::Body, None, "/openapi.json"), ResponseLog::Metadata);
        assert_eq!(of(ResponseLog::Off, None, "/openapi.json"), ResponseLog::Off);
        assert_eq!(of(ResponseLog::Body, None, "/other"), ResponseLog::Body);
        assert_eq!(of(ResponseLog::Body, Some("other"), "/openapi.json"), ResponseLog::Body);
    }
}
