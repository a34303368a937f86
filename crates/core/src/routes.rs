//! The routes that blueprints register, as actix's introspection has them.

use actix_web::App;
use actix_web::introspection::{IntrospectionReportItem, IntrospectionTree};
use actix_web::web::Data;
use serde::Serialize;

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
    let rules = Rules::new(settings.log.response.body, blueprints);
    let routes = tree.map(|tree| listed(tree, blueprints, &rules)).unwrap_or_default();
    registry::check_routes(&routes, &rules)?;
    Ok((routes, rules))
}

fn listed(tree: &IntrospectionTree, blueprints: &[Enabled], rules: &Rules) -> Vec<RouteInfo> {
    let mut routes = Vec::new();
    for item in Vec::<IntrospectionReportItem>::from(&tree.root) {
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
