//! The routes that blueprints register, read through actix-web's introspection.

use actix_web::App;
use actix_web::introspection::{IntrospectionReportItem, IntrospectionTree};
use actix_web::web::Data;
use cyanotype_actix::response_log::Rules;
use cyanotype_telemetry::{is_below, rule_matches, split_rule};
use serde::Serialize;

use super::error::RegistryError;
use super::mounting::mount;
use super::registry::EnabledBlueprint;
use crate::api::pages;
use crate::settings::{ResponseLog, Settings};

/// One route, as `app routes` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteInfo {
    /// HTTP method in upper case, or `*` for any method.
    pub method: String,
    /// Path pattern, with parameters in braces.
    pub path: String,
    /// Name of its blueprint.
    pub blueprint: &'static str,
    /// How much of its responses is logged.
    pub response_log: ResponseLog,
}

impl RouteInfo {
    /// Whether a rule such as `GET /users/{id}` or `/users/{id}` applies to this route.
    pub(crate) fn matches_rule(&self, rule: &str) -> bool {
        let (_, path) = split_rule(rule);
        // A resource without methods accepts any.
        rule_matches(rule, &self.method, &self.path) || self.method == "*" && self.path == path
    }
}

/// Collects the routes of these blueprints and their response-log rules, and checks them for conflicts.
pub(crate) async fn collect_and_check(
    settings: &Settings,
    blueprints: &[EnabledBlueprint],
) -> Result<(Vec<RouteInfo>, Rules), RegistryError> {
    let app = App::new().configure(|config| mount(config, blueprints, None));
    let app = actix_web::test::init_service(app).await;
    // actix-web exposes the tree only through a request.
    let request = actix_web::test::TestRequest::get().uri("/").to_request();
    let response = actix_web::test::call_service(&app, request).await;
    let tree = response.request().app_data::<Data<IntrospectionTree>>();
    let items = tree.map(|tree| Vec::<IntrospectionReportItem>::from(&tree.root)).unwrap_or_default();
    let hidden = |item: &&IntrospectionReportItem| item.reachability_notes.iter().any(|note| note == HIDDEN);
    if let Some(item) = items.iter().find(hidden) {
        let path = &item.full_path;
        return Err(RegistryError::DuplicateMethod { path: path.clone() });
    }
    let of_blueprints = blueprints.iter().map(|enabled| (enabled.blueprint.name(), enabled.response_log()));
    let rules = Rules::new(of_blueprints).with_other(pages::response_log());
    let routes = list(items, blueprints, &rules, settings.log.response.body);
    check_routes(&routes)?;
    check_response_log(&rules, &routes)?;
    check_limits(blueprints, &routes)?;
    Ok((routes, rules))
}

/// The patterns of all routes of the API listener: those of blueprints, and the OpenAPI document's.
pub(crate) fn patterns(routes: &[RouteInfo]) -> Vec<String> {
    routes.iter().map(|route| route.path.clone()).chain(pages::PATTERNS.map(str::to_owned)).collect()
}

/// actix-web's note on a route that another one shadows.
const HIDDEN: &str = "shadowed_by_route";

fn list(
    items: Vec<IntrospectionReportItem>,
    blueprints: &[EnabledBlueprint],
    rules: &Rules,
    max_detail: ResponseLog,
) -> Vec<RouteInfo> {
    let mut routes = Vec::new();
    for item in items {
        let mut blueprints = blueprints.iter().map(|enabled| &enabled.blueprint);
        let Some(blueprint) = blueprints.find(|blueprint| is_below(&item.full_path, blueprint.prefix())) else {
            continue;
        };
        // A resource without methods accepts any.
        let methods = if item.methods.is_empty() { vec!["*".to_owned()] } else { item.methods };
        if item.resource_type == "resource" {
            routes.extend(methods.into_iter().map(|method| RouteInfo {
                response_log: rules.resolve(max_detail, Some(blueprint.name()), &method, Some(&item.full_path)),
                method,
                path: item.full_path.clone(),
                blueprint: blueprint.name(),
            }));
        }
    }
    routes.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
    routes.dedup();
    routes
}

/// Rejects duplicate routes.
fn check_routes(routes: &[RouteInfo]) -> Result<(), RegistryError> {
    for (at, one) in routes.iter().enumerate() {
        // The router matches the path alone: the second resource never receives a request, whatever its methods.
        let same = |other: &&RouteInfo| one.path != other.path && shape(&one.path) == shape(&other.path);
        if let Some(other) = routes[at + 1..].iter().find(same) {
            return Err(RegistryError::DuplicateRoute {
                route: format!("{} {}", one.method, one.path),
                blueprint: one.blueprint,
                other: format!("{} {}", other.method, other.path),
            });
        }
    }
    Ok(())
}

/// A path without the names of its parameters, as the router compares it.
fn shape(path: &str) -> Vec<&str> {
    let parameter = |segment| if str::starts_with(segment, '{') && !segment.contains(':') { "{}" } else { segment };
    path.split('/').map(parameter).collect()
}

/// Rejects a response-log rule for an unknown route.
fn check_response_log(rules: &Rules, routes: &[RouteInfo]) -> Result<(), RegistryError> {
    match rules.route_rules().find(|(blueprint, rule)| !exists(rule, blueprint, routes)) {
        None => Ok(()),
        Some((blueprint, rule)) => Err(RegistryError::UnknownResponseLogRoute { blueprint, rule: rule.to_owned() }),
    }
}

/// Rejects a rate limit for an unknown route.
fn check_limits(blueprints: &[EnabledBlueprint], routes: &[RouteInfo]) -> Result<(), RegistryError> {
    for enabled in blueprints {
        let blueprint = enabled.blueprint.name();
        let mut rules = enabled.rate_limits().routes.into_iter().map(|(rule, _)| rule);
        if let Some(rule) = rules.find(|rule| !exists(rule, blueprint, routes)) {
            return Err(RegistryError::UnknownRateLimitRoute { blueprint, rule });
        }
    }
    Ok(())
}

/// Whether a rule applies to a route of the blueprint.
fn exists(rule: &str, blueprint: &str, routes: &[RouteInfo]) -> bool {
    routes.iter().any(|route| route.blueprint == blueprint && route.matches_rule(rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::Blueprint;
    use crate::blueprint::registry::{self, RegisteredBlueprint};
    use crate::settings::Loader;
    use actix_web::web::{self, ServiceConfig};
    use cyanotype_actix::response_log::ResponseLogRules;

    #[derive(Clone, Copy)]
    struct Stock(fn(&mut ServiceConfig));

    impl Blueprint for Stock {
        fn name(&self) -> &'static str {
            "stock"
        }
        fn prefix(&self) -> &str {
            "/stock"
        }
        fn routes(&self, scope: &mut ServiceConfig) {
            (self.0)(scope);
        }
    }

    async fn routes(register: fn(&mut ServiceConfig)) -> Result<Vec<String>, String> {
        let mut settings = Loader::new("/nonexistent").load().expect("valid defaults");
        let enabled = registry::select_enabled(&[RegisteredBlueprint::new(Stock(register))], &mut settings)
            .expect("one blueprint");
        let (routes, _) = collect_and_check(&settings, &enabled).await.map_err(|error| error.to_string())?;
        Ok(routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect())
    }

    async fn handler() -> &'static str {
        ""
    }

    #[actix_web::test]
    async fn routes_are_listed_with_their_methods() {
        let listed = routes(|scope| {
            scope.service(web::resource("").get(handler).route(web::post().to(handler)));
            scope.service(web::resource("/{id}").route(web::get().to(handler)).route(web::put().to(handler)));
        });
        assert_eq!(
            listed.await.expect("valid routes"),
            ["GET /stock", "POST /stock", "GET /stock/{id}", "PUT /stock/{id}"]
        );
    }

    #[actix_web::test]
    async fn a_duplicate_route_is_rejected() {
        let same = routes(|scope| {
            scope.service(web::resource("/{id}").route(web::get().to(handler)));
            scope.service(web::resource("/{sku}").route(web::get().to(handler)));
        });
        assert!(same.await.expect_err("a duplicate").contains("duplicate route"));
        let identical = routes(|scope| {
            scope.service(web::resource("/{id}").route(web::get().to(handler)));
            scope.service(web::resource("/{id}").route(web::get().to(handler)));
        });
        assert!(identical.await.expect_err("a duplicate").contains("duplicate route"));
        let in_one = routes(|scope| {
            scope.service(web::resource("/{id}").route(web::get().to(handler)).route(web::get().to(handler)));
        });
        let rejection = in_one.await.expect_err("a duplicate");
        assert_eq!(rejection, "duplicate route: /stock/{id} is registered twice with the same method");
    }

    #[test]
    fn a_route_that_shadows_another_is_rejected() {
        let route = |method: &str, path: &str| RouteInfo {
            method: method.into(),
            path: path.into(),
            blueprint: "stock",
            response_log: ResponseLog::Body,
        };
        let check = |routes: &[RouteInfo]| check_routes(routes).map_err(|error| error.to_string());
        assert_eq!(check(&[route("GET", "/stock/{id}"), route("PUT", "/stock/{id}"), route("GET", "/stock")]), Ok(()));
        // The second never receives a request, whatever its methods.
        for method in ["GET", "PUT"] {
            let rejection =
                check(&[route("GET", "/stock/{id}"), route(method, "/stock/{sku}")]).expect_err("a duplicate");
            assert_eq!(
                rejection,
                format!(
                    "duplicate route: GET /stock/{{id}} of the blueprint stock and {method} /stock/{{sku}} match the same \
                     paths"
                )
            );
        }
    }

    #[test]
    fn a_rule_for_an_unknown_route_is_rejected() {
        let route = |method: &str, path: &str| RouteInfo {
            method: method.into(),
            path: path.into(),
            blueprint: "reports",
            response_log: ResponseLog::Body,
        };
        let own = ResponseLogRules::default()
            .route("GET /reports/{id}", ResponseLog::Body)
            .route("/reports/status", ResponseLog::Off);
        let rules = Rules::new([("reports", own)]);
        let routes = [route("GET", "/reports/{id}"), route("GET", "/reports/status")];
        assert_eq!(check_response_log(&rules, &routes), Ok(()));
        let rejection = check_response_log(&rules, &routes[..1]).expect_err("an unknown route").to_string();
        assert!(rejection.contains("has a response-log rule for the unknown route `/reports/status`"), "{rejection}");
    }
}
