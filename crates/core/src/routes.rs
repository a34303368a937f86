//! The routes that blueprints register, as actix's introspection has them.

use actix_web::App;
use actix_web::introspection::{IntrospectionReportItem, IntrospectionTree};
use actix_web::web::Data;
use serde::Serialize;

use crate::http::limits::RateLimits;
use crate::http::rules::Rules;
use crate::registry::{self, Enabled, RegistryError};
use crate::service::mount;
use crate::settings::{ResponseLog, Settings};

/// One route, as `app routes` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteInfo {
    pub method: String,
    pub path: String,
    pub blueprint: &'static str,
    /// How much is recorded of its responses.
    pub response_log: ResponseLog,
}

/// The routes of these blueprints, and how much is recorded of them.
pub(crate) async fn registered(
    settings: &Settings,
    blueprints: &[Enabled],
) -> Result<(Vec<RouteInfo>, Rules), RegistryError> {
    let app = App::new().configure(|config| mount(config, blueprints));
    let app = actix_web::test::init_service(app).await;
    // actix hands the tree to requests alone.
    let asked = actix_web::test::TestRequest::get().uri("/").to_request();
    let answer = actix_web::test::call_service(&app, asked).await;
    let tree = answer.request().app_data::<Data<IntrospectionTree>>();
    let items = tree.map(|tree| Vec::<IntrospectionReportItem>::from(&tree.root)).unwrap_or_default();
    let hidden = |item: &&IntrospectionReportItem| item.reachability_notes.iter().any(|note| note == HIDDEN);
    if let Some(item) = items.iter().find(hidden) {
        let path = &item.full_path;
        return Err(RegistryError::new(format!(
            "the route {path} is there twice with one method: one hides the other"
        )));
    }
    let rules = Rules::new(settings.log.response.body, blueprints);
    let routes = listed(items, blueprints, &rules);
    registry::check_routes(&routes, &rules)?;
    RateLimits::check(blueprints, &routes)?;
    Ok((routes, rules))
}

/// actix's word for a route that another one hides.
const HIDDEN: &str = "shadowed_by_route";

fn listed(items: Vec<IntrospectionReportItem>, blueprints: &[Enabled], rules: &Rules) -> Vec<RouteInfo> {
    let mut routes = Vec::new();
    for item in items {
        let is_below = |prefix: &str| {
            item.full_path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut blueprints = blueprints.iter().map(|enabled| &enabled.blueprint);
        let Some(blueprint) = blueprints.find(|blueprint| is_below(blueprint.prefix())) else { continue };
        // A resource without methods of its own answers to any.
        let methods = if item.methods.is_empty() { vec!["*".to_owned()] } else { item.methods };
        if item.resource_type == "resource" {
            routes.extend(methods.into_iter().map(|method| RouteInfo {
                response_log: rules.of(Some(blueprint.name()), &method, Some(&item.full_path)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::Blueprint;
    use crate::registry::Registered;
    use crate::settings::Loader;
    use actix_web::web::{self, ServiceConfig};

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
        let mut settings = Loader::new("/nonexistent").load().expect("the defaults are good");
        let enabled = registry::enabled(&[Registered::new(Stock(register))], &mut settings).expect("there is one");
        let (routes, _) = registered(&settings, &enabled).await.map_err(|error| error.to_string())?;
        Ok(routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect())
    }

    async fn answer() -> &'static str {
        ""
    }

    #[actix_web::test]
    async fn they_are_listed_with_their_methods() {
        let listed = routes(|scope| {
            scope.service(web::resource("").get(answer).route(web::post().to(answer)));
            scope.service(web::resource("/{id}").route(web::get().to(answer)).route(web::put().to(answer)));
        });
        assert_eq!(
            listed.await.expect("they are good"),
            ["GET /stock", "POST /stock", "GET /stock/{id}", "PUT /stock/{id}"]
        );
    }

    #[actix_web::test]
    async fn one_that_is_there_twice_is_refused() {
        let same = routes(|scope| {
            scope.service(web::resource("/{id}").route(web::get().to(answer)));
            scope.service(web::resource("/{sku}").route(web::get().to(answer)));
        });
        assert!(same.await.expect_err("one hides the other").contains("is there twice"));
        let very_same = routes(|scope| {
            scope.service(web::resource("/{id}").route(web::get().to(answer)));
            scope.service(web::resource("/{id}").route(web::get().to(answer)));
        });
        assert!(very_same.await.expect_err("one hides the other").contains("is there twice"));
        let in_one = routes(|scope| {
            scope.service(web::resource("/{id}").route(web::get().to(answer)).route(web::get().to(answer)));
        });
        let refusal = in_one.await.expect_err("one hides the other");
        assert_eq!(refusal, "the route /stock/{id} is there twice with one method: one hides the other");
    }
}
