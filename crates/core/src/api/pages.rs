//! Serves the OpenAPI document, and Swagger UI, whose files are embedded in the binary.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use cyanotype_actix::response_log::ResponseLogRules;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::handler::problem::{Problem, Result};
use crate::settings::ResponseLog;

/// Paths that the service reserves for itself.
pub(crate) const PATHS: [&str; 2] = [DOCUMENT, UI];

const DOCUMENT: &str = "/openapi.json";
pub(crate) const UI: &str = "/docs";
const UI_FILES: &str = "/docs/{file:.*}";
/// The patterns of their routes.
pub(crate) const PATTERNS: [&str; 3] = [DOCUMENT, UI, UI_FILES];

/// Content security policy of Swagger UI: it runs only its own scripts, and they set inline styles.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'self'; \
                      frame-ancestors 'none'";

/// Logs only metadata: the content is public and the same for all clients.
pub(crate) fn response_log() -> ResponseLogRules {
    PATTERNS.into_iter().fold(ResponseLogRules::default(), |rules, route| rules.route(route, ResponseLog::Metadata))
}

/// The serialized document.
#[derive(Clone)]
pub(crate) struct Pages(Bytes);

impl Pages {
    pub(crate) fn new(document: &OpenApi) -> Self {
        Self(Bytes::from(document.to_json().expect("the document has only strings, numbers and maps with string keys")))
    }

    pub(crate) fn mount(self, config: &mut ServiceConfig) {
        let ui = Arc::new(Config::from(DOCUMENT).use_base_layout());
        config.app_data(Data::new(ui));
        config.service(web::resource(DOCUMENT).route(web::get().to(move || document(self.0.clone()))));
        config.service(web::resource(UI).route(web::get().to(index)));
        config.service(web::resource(UI_FILES).route(web::get().to(file)));
    }
}

async fn document(json: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(json)
}

async fn index(ui: Data<Arc<Config<'static>>>) -> Result {
    serve_file("index.html", &ui)
}

async fn file(ui: Data<Arc<Config<'static>>>, name: web::Path<String>) -> Result {
    serve_file(if name.is_empty() { "index.html" } else { &name }, &ui)
}

fn serve_file(name: &str, ui: &Arc<Config<'static>>) -> Result {
    let served =
        utoipa_swagger_ui::serve(name, Arc::clone(ui)).map_err(|error| Problem::internal(error.to_string()))?;
    let file = served.ok_or_else(|| Problem::not_found("documentation file"))?;
    let mut body = file.bytes.into_owned();
    if name == "index.html" {
        // Its links are relative to `/docs/`, but it is also served at `/docs`.
        body =
            String::from_utf8_lossy(&body).replacen("<head>", &format!("<head><base href=\"{UI}/\">"), 1).into_bytes();
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, file.content_type)).insert_header((CONTENT_SECURITY_POLICY, POLICY));
    Ok(response.insert_header((CACHE_CONTROL, "no-cache")).body(body))
}
