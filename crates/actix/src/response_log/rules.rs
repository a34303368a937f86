//! How much is recorded of which response.

use cyanotype_telemetry::is_for;
use cyanotype_telemetry::settings::ResponseLog;

/// What a blueprint asks to be recorded of its responses: one word for all of them, and others for single routes.
///
/// The settings have the last word, and it can only be for less: with `log.response.body` at `metadata` nothing that is
/// asked for here shows a body.
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

    /// Another word for one route, written as `app routes` lists it; without a method it is for all of them. One that
    /// there is not stops the start.
    #[must_use]
    pub fn route(mut self, route: &str, log: ResponseLog) -> Self {
        self.routes.push((route.to_owned(), log));
        self
    }
}

impl ResponseLogRules {
    /// The same with no more than this for any route.
    #[must_use]
    pub fn at_most(mut self, most: ResponseLog) -> Self {
        self.all = self.all.min(most);
        self.routes.iter_mut().for_each(|(_, log)| *log = (*log).min(most));
        self
    }
}

/// The rules of all blueprints. What the settings and overrides have in effect is applied on top.
#[derive(Debug, Clone)]
pub struct Rules {
    blueprints: Vec<(&'static str, ResponseLogRules)>,
    /// For the routes of no blueprint.
    other: ResponseLogRules,
}

impl Rules {
    /// The rules of each blueprint, by its name.
    pub fn new(blueprints: impl IntoIterator<Item = (&'static str, ResponseLogRules)>) -> Self {
        Self { blueprints: blueprints.into_iter().collect(), other: ResponseLogRules::default() }
    }

    /// Sets the rules for the routes that belong to no blueprint.
    #[must_use]
    pub fn with_other(self, other: ResponseLogRules) -> Self {
        Self { other, ..self }
    }

    /// How much is recorded of what this blueprint answers on this route: no more than `most`.
    #[must_use]
    pub fn of(&self, max: ResponseLog, blueprint: Option<&str>, method: &str, route: Option<&str>) -> ResponseLog {
        let rules = match blueprint {
            Some(blueprint) => self.blueprints.iter().find(|(name, _)| *name == blueprint).map(|(_, rules)| rules),
            None => Some(&self.other),
        };
        let requested = rules.map_or(ResponseLog::Body, |rules| {
            let own = route.and_then(|route| rules.routes.iter().find(|(rule, _)| is_for(rule, method, route)));
            own.map_or(rules.all, |(_, log)| *log)
        });
        requested.min(max)
    }

    /// The rules for single routes, each with the name of its blueprint.
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
    fn the_route_has_the_say_then_its_blueprint_and_the_settings_the_last() {
        let of = |most, blueprint, method, route| rules().of(most, blueprint, method, route);
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
    fn a_blueprints_section_lowers_all_of_its_rules() {
        let own = ResponseLogRules::all(ResponseLog::Body).route("/a", ResponseLog::Body).route("/b", ResponseLog::Off);
        let most = own.at_most(ResponseLog::Metadata);
        assert_eq!(most.all, ResponseLog::Metadata);
        assert_eq!(most.routes, [("/a".into(), ResponseLog::Metadata), ("/b".into(), ResponseLog::Off)]);
        assert_eq!(ResponseLogRules::default().all, ResponseLog::Body);
    }

    #[test]
    fn routes_of_no_blueprint_have_rules_of_their_own() {
        let rules = rules().with_other(ResponseLogRules::default().route("/a", ResponseLog::Metadata));
        assert_eq!(rules.of(ResponseLog::Body, None, "GET", Some("/a")), ResponseLog::Metadata);
        assert_eq!(rules.of(ResponseLog::Body, None, "GET", Some("/b")), ResponseLog::Body);
        assert_eq!(rules.of(ResponseLog::Body, Some("other"), "GET", Some("/a")), ResponseLog::Body);
    }
}
