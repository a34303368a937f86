//! Rules for the recorded detail of responses.

use cyanotype_telemetry::rule_matches;
use cyanotype_telemetry::settings::ResponseLog;

/// The detail that a blueprint records of its responses: a default for all routes, and exceptions for individual routes.
///
/// The settings can only lower it: with `log.response.body` at `metadata` no rule records a body.
///
/// ```
/// use cyanotype_actix::{ResponseLog, ResponseLogRules};
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
    /// The same for all routes.
    #[must_use]
    pub fn all(log: ResponseLog) -> Self {
        Self { all: log, routes: Vec::new() }
    }

    /// Adds a rule for one route, in the form of `app routes`. Without a method it applies to all methods. A route that does not
    /// exist is a startup error.
    #[must_use]
    pub fn route(mut self, route: &str, log: ResponseLog) -> Self {
        self.routes.push((route.to_owned(), log));
        self
    }
}

impl ResponseLogRules {
    /// Limits every rule to this detail.
    #[must_use]
    pub fn at_most(mut self, max: ResponseLog) -> Self {
        self.all = self.all.min(max);
        self.routes.iter_mut().for_each(|(_, log)| *log = (*log).min(max));
        self
    }
}

/// The rules of all blueprints. Settings and overrides are applied on top.
#[derive(Debug, Clone)]
pub struct Rules {
    blueprints: Vec<(&'static str, ResponseLogRules)>,
    /// Rules for routes without a blueprint.
    other: ResponseLogRules,
}

impl Rules {
    /// The rules of each blueprint, by name.
    pub fn new(blueprints: impl IntoIterator<Item = (&'static str, ResponseLogRules)>) -> Self {
        Self { blueprints: blueprints.into_iter().collect(), other: ResponseLogRules::default() }
    }

    /// Sets the rules for routes without a blueprint.
    #[must_use]
    pub fn with_other(self, other: ResponseLogRules) -> Self {
        Self { other, ..self }
    }

    /// The recorded detail of a response of this blueprint on this route; at most `max`.
    #[must_use]
    pub fn resolve(&self, max: ResponseLog, blueprint: Option<&str>, method: &str, route: Option<&str>) -> ResponseLog {
        let rules = match blueprint {
            Some(blueprint) => self.blueprints.iter().find(|(name, _)| *name == blueprint).map(|(_, rules)| rules),
            None => Some(&self.other),
        };
        let requested = rules.map_or(ResponseLog::Body, |rules| {
            let own = route.and_then(|route| rules.routes.iter().find(|(rule, _)| rule_matches(rule, method, route)));
            own.map_or(rules.all, |(_, log)| *log)
        });
        requested.min(max)
    }

    /// The rules for individual routes, each with the name of its blueprint.
    pub fn route_rules(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.blueprints.iter().flat_map(|(name, rules)| rules.routes.iter().map(|(rule, _)| (*name, rule.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let reports = ResponseLogRules::all(ResponseLog::Metadata)
            .route("GET /reports/{id}", ResponseLog::Body)
            .route("/reports/status", ResponseLog::Off);
        Rules::new([("reports", reports)])
    }

    #[test]
    fn a_route_rule_takes_precedence_and_settings_limit_all_rules() {
        let of = |max, blueprint, method, route| rules().resolve(max, blueprint, method, route);
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
    fn at_most_lowers_all_rules() {
        let own = ResponseLogRules::all(ResponseLog::Body).route("/a", ResponseLog::Body).route("/b", ResponseLog::Off);
        let limited = own.at_most(ResponseLog::Metadata);
        assert_eq!(limited.all, ResponseLog::Metadata);
        assert_eq!(limited.routes, [("/a".into(), ResponseLog::Metadata), ("/b".into(), ResponseLog::Off)]);
        assert_eq!(ResponseLogRules::default().all, ResponseLog::Body);
    }

    #[test]
    fn routes_without_a_blueprint_have_their_own_rules() {
        let rules = rules().with_other(ResponseLogRules::default().route("/a", ResponseLog::Metadata));
        assert_eq!(rules.resolve(ResponseLog::Body, None, "GET", Some("/a")), ResponseLog::Metadata);
        assert_eq!(rules.resolve(ResponseLog::Body, None, "GET", Some("/b")), ResponseLog::Body);
        assert_eq!(rules.resolve(ResponseLog::Body, Some("other"), "GET", Some("/a")), ResponseLog::Body);
    }
}
