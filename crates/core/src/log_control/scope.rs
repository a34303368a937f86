//! Checks that the scope of an override exists.

use cyanotype_telemetry::effective::{OverrideScope, RecordOrigin};

use super::state::LogControlState;
use crate::blueprint::routes::RouteInfo;
use crate::handler::problem::FieldError;

/// Minimum similarity of a suggested route.
const MIN_SIMILARITY: f64 = 0.6;

impl LogControlState {
    /// Rejects an unknown blueprint or route. For the fleet any route is accepted, because other processes may have other routes.
    pub(super) fn check_scope(&self, scope: &OverrideScope, fleet: bool) -> Result<(), FieldError> {
        match scope {
            OverrideScope::Process | OverrideScope::Module(_) => Ok(()),
            OverrideScope::Blueprint(name) => self.check_blueprint(name),
            OverrideScope::Route(_) if fleet => Ok(()),
            OverrideScope::Route(rule) => check_route(rule, &self.routes),
        }
    }

    pub(super) fn check_blueprint(&self, name: &str) -> Result<(), FieldError> {
        if self.blueprints.contains(&name) {
            return Ok(());
        }
        let message = format!("unknown blueprint `{name}`; compiled-in blueprints are {}", self.blueprints.join(", "));
        Err(FieldError { field: "blueprint".into(), message })
    }

    /// An example record in the scope. A route's record also belongs to the route's blueprint.
    pub(super) fn example<'a>(&'a self, scope: &'a OverrideScope) -> RecordOrigin<'a> {
        let origin = scope.example();
        let Some(path) = origin.route else { return origin };
        RecordOrigin { blueprint: self.blueprint_of(path), ..origin }
    }

    pub(super) fn blueprint_of(&self, path: &str) -> Option<&'static str> {
        self.routes.iter().find(|route| route.path == path).map(|route| route.blueprint)
    }
}

/// Rejects an unknown route, and suggests a similar one.
pub(crate) fn check_route(rule: &str, routes: &[RouteInfo]) -> Result<(), FieldError> {
    if routes.iter().any(|route| is_rule_for(rule, route)) {
        return Ok(());
    }
    let named = |route: &RouteInfo| match rule.contains(' ') {
        true => format!("{} {}", route.method, route.path),
        false => route.path.clone(),
    };
    let nearest = routes
        .iter()
        .map(|route| (strsim::normalized_levenshtein(rule, &named(route)), route))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let hint = match nearest {
        Some((_, route)) => format!("did you mean {}?", named(route)),
        None => "`app routes` lists the routes".to_owned(),
    };
    Err(FieldError { field: "route".into(), message: format!("unknown route `{rule}`; {hint}") })
}

fn is_rule_for(rule: &str, route: &RouteInfo) -> bool {
    route.matches_rule(rule) || route.method == "GET" && rule.strip_prefix("HEAD ") == Some(&route.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ResponseLog;

    fn check(rule: &str) -> Result<(), String> {
        let route = |method: &str, path: &str| RouteInfo {
            method: method.into(),
            path: path.into(),
            blueprint: "orders",
            response_log: ResponseLog::Body,
        };
        let routes = [route("GET", "/orders"), route("GET", "/orders/{id}"), route("POST", "/orders/{id}/pay")];
        check_route(rule, &routes).map_err(|error| error.message)
    }

    #[test]
    fn a_route_is_a_path_with_an_optional_method() {
        for rule in ["GET /orders/{id}", "HEAD /orders/{id}", "/orders/{id}/pay", "/orders"] {
            assert_eq!(check(rule), Ok(()), "{rule}");
        }
    }

    #[test]
    fn an_unknown_route_is_rejected_with_a_suggestion() {
        let neighbours = [
            ("GET /orders/{ID}", "GET /orders/{id}"),
            ("/order/{id}", "/orders/{id}"),
            ("GET /orders/{id}/pay", "POST /orders/{id}/pay"),
            ("get /orders", "GET /orders"),
        ];
        for (rule, meant) in neighbours {
            let refused = check(rule).expect_err("is refused");
            assert_eq!(refused, format!("unknown route `{rule}`; did you mean {meant}?"), "{rule}");
        }
        assert!(check("nonsense").expect_err("is refused").contains("`app routes`"));
    }
}
