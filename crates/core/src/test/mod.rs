//! A test kit for blueprints: serves a blueprint alone and exposes the records and events of each request.
//!
//! Requests pass through the same middleware as in the service, without a network; records and events are stored in memory.
//! Each test has its own in-memory database, on which the blueprint's migrations have run.
//!
//! ```
//! use actix_web::HttpResponse;
//! use actix_web::web::{self, ServiceConfig};
//! use cyanotype::{Blueprint, test};
//! use serde_json::json;
//!
//! struct Doors;
//!
//! impl Blueprint for Doors {
//!     fn name(&self) -> &'static str {
//!         "doors"
//!     }
//!     fn prefix(&self) -> &str {
//!         "/doors"
//!     }
//!     fn routes(&self, scope: &mut ServiceConfig) {
//!         let read = async || HttpResponse::Ok().json(json!({"door": "back", "pin": "2580"}));
//!         scope.service(web::resource("/{name}").get(read));
//!     }
//! }
//!
//! # #[actix_web::main] async fn main() {
//! let service = test::serve(Doors).start().await;
//! let response = service.get("/doors/back").send().await;
//! assert_eq!((response.status, response.json()["pin"].as_str()), (200, Some("2580")));
//! assert_eq!(response.response_record()["http.route"], "/doors/{name}");
//! assert!(response.events().is_empty());
//! response.assert_never_logged("2580");
//! # }
//! ```

mod canaries;
mod fake;
mod response;

use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{Service as _, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service};
use cyanotype_telemetry::memory::MemorySink;
use cyanotype_telemetry::panic::Panics;
use cyanotype_telemetry::{Hooks, Sinks};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

pub use canaries::Canaries;
pub use fake::Tokens;
pub use response::TestResponse;

use crate::api;
use crate::blueprint::Blueprint;
use crate::blueprint::registry::{self, RegisteredBlueprint};
use crate::blueprint::resources::{Resources, SharedResources};
use crate::blueprint::routes;
use crate::blueprint::started::StartedBlueprints;
use crate::database::{Database, Program};
use crate::server::app::AppFactory;
use crate::settings::{Loader, Settings};
use fake::FakeBlueprint;

const PROGRAM: Program = Program { name: "test", version: "0" };

/// A process has one set of sinks, which all its tests share; each test reads the records of its own requests.
static MEMORY: LazyLock<MemorySink> = LazyLock::new(MemorySink::default);

/// Configures a service of this blueprint; call [`TestServiceBuilder::start`] to start it.
#[must_use]
pub fn serve(blueprint: impl Blueprint) -> TestServiceBuilder {
    TestServiceBuilder { blueprints: vec![RegisteredBlueprint::new(blueprint)], settings: Vec::new() }
}

/// An empty in-memory database with a blueprint's tables, for tests of its store.
///
/// # Panics
/// If a migration fails.
pub async fn database(blueprint: &impl Blueprint) -> Database {
    let settings = Loader::new("/no/config/here").flag("database.url", "sqlite::memory:", "the test").load();
    let settings = settings.unwrap_or_else(|why| panic!("{why}")).sections.database;
    let migrations = blueprint.migrations().map(|migrations| (blueprint.name(), migrations));
    Database::open(&(&settings).into(), migrations, PROGRAM).await.unwrap_or_else(|why| panic!("{why}"))
}

/// A service that has not been started.
pub struct TestServiceBuilder {
    blueprints: Vec<RegisteredBlueprint>,
    settings: Vec<(String, String)>,
}

impl TestServiceBuilder {
    /// Serves another blueprint as well.
    #[must_use]
    pub fn with(mut self, blueprint: impl Blueprint) -> Self {
        self.blueprints.push(RegisteredBlueprint::new(blueprint));
        self
    }

    /// Replaces a dependency with a fake blueprint without routes; `provide` provides its values.
    #[must_use]
    pub fn fake(self, name: &'static str, provide: impl Fn(&Resources) + Send + Sync + 'static) -> Self {
        self.with(FakeBlueprint::new(name, provide))
    }

    /// Sets a setting, such as `server.max_body_bytes` or one of the blueprint's settings.
    ///
    /// # Panics
    /// If the key begins with `log.` or `sentry.`: the tests of a process share their sinks and use the defaults.
    #[must_use]
    #[track_caller]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        assert!(
            !key.starts_with("log.") && !key.starts_with("sentry."),
            "{key} cannot be set: all tests of a process share it"
        );
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Starts the service.
    ///
    /// # Panics
    /// If the service does not start; the message contains the reason.
    pub async fn start(self) -> TestService {
        let mut settings = self.load();
        let enabled = registry::select_enabled(&self.blueprints, &mut settings).unwrap_or_else(|why| panic!("{why}"));
        let memory = Arc::new(MEMORY.clone());
        let sinks = Sinks::none().record(memory.clone()).event(memory);
        let pipeline = cyanotype_telemetry::start(&settings.telemetry(), Hooks::default(), sinks, Panics::InRequests);
        let registered = routes::collect_and_check(&settings, &enabled).await;
        let (routes, rules) = registered.unwrap_or_else(|why| panic!("{why}"));
        let blueprints = enabled.iter().map(|enabled| &enabled.blueprint);
        let migrations = blueprints.filter_map(|blueprint| Some((blueprint.name(), blueprint.migrations()?)));
        let database = Database::open(&(&settings.database).into(), migrations, PROGRAM)
            .await
            .unwrap_or_else(|why| panic!("{why}"));
        let mut running = StartedBlueprints::none(SharedResources::new(database));
        running.start(&enabled).await.unwrap_or_else(|why| panic!("{why}"));
        let about = api::ApiInfo { name: "test", version: "0", public_url: None, customize: None };
        let app = AppFactory::new(&settings, pipeline, enabled, rules, routes::patterns(&routes), &running, &about);
        let app = Rc::new(init_service(app.app()).await);
        let call = move |request: TestRequest| -> CallFuture {
            let app = Rc::clone(&app);
            Box::pin(async move { app.call(request.to_request()).await.map(ServiceResponse::map_into_boxed_body) })
        };
        TestService { call: Rc::new(call), running }
    }

    fn load(&self) -> Settings {
        let fixed = [
            ("database.url", "sqlite::memory:"),
            ("log.format", "json"),
            ("sentry.dsn", "http://key@sentry.invalid/1"),
        ];
        let own = self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let loader = Loader::new("/no/config/here");
        let loader =
            fixed.into_iter().chain(own).fold(loader, |loader, (key, value)| loader.flag(key, value, "the test"));
        loader.load().unwrap_or_else(|why| panic!("{why}"))
    }
}

type CallFuture = LocalBoxFuture<'static, Result<ServiceResponse<BoxBody>, Error>>;

/// A running service.
pub struct TestService {
    call: Rc<dyn Fn(TestRequest) -> CallFuture>,
    running: StartedBlueprints,
}

impl TestService {
    /// The database of this test.
    #[must_use]
    pub fn database(&self) -> &Database {
        self.running.database()
    }

    /// A `GET` request to a path, which may include a query.
    #[must_use]
    pub fn get(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::GET, path)
    }

    /// A `POST` request to a path, which may include a query.
    #[must_use]
    pub fn post(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::POST, path)
    }

    /// A `PATCH` request to a path, which may include a query.
    #[must_use]
    pub fn patch(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::PATCH, path)
    }

    /// A `DELETE` request to a path, which may include a query.
    #[must_use]
    pub fn delete(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::DELETE, path)
    }

    /// A request with any method to a path, which may include a query.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder<'_> {
        RequestBuilder { service: self, request: TestRequest::with_uri(path).method(method) }
    }

    /// Stops the blueprints, as the service does when it stops.
    pub async fn stop(self) {
        self.running.stop(Duration::from_secs(5)).await;
    }
}

/// A request that has not been sent.
pub struct RequestBuilder<'a> {
    service: &'a TestService,
    request: TestRequest,
}

impl RequestBuilder<'_> {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.insert_header((name, value));
        self
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.request = self.request.set_json(body);
        self
    }

    /// Sends the request and reads the complete response.
    pub async fn send(self) -> TestResponse {
        let outcome = (self.service.call)(self.request.peer_addr(([127, 0, 0, 1], 1).into())).await;
        TestResponse::read(outcome.map(|response| response.into_parts().1), &MEMORY).await
    }
}

#[cfg(test)]
mod tests {
    use actix_web::web::{self, ServiceConfig};

    use super::*;

    struct Broken;

    async fn breaks() -> crate::Result {
        Err(std::io::Error::other("the door is stuck"))?
    }

    async fn panics() -> crate::Result {
        panic!("the door is gone")
    }

    impl Blueprint for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }
        fn prefix(&self) -> &str {
            "/broken"
        }
        fn routes(&self, scope: &mut ServiceConfig) {
            scope.service(web::resource("/error").get(breaks)).service(web::resource("/panic").get(panics));
        }
    }

    /// The functions of a stack, innermost first.
    fn functions(response: &TestResponse) -> Vec<String> {
        let record = response.records_of("uncaught")[0];
        let stack = record["exception.stacktrace"].as_str().unwrap_or_else(|| panic!("no stack in {record}"));
        let functions = stack.lines().filter_map(|line| line.trim_start().split_once(": "));
        functions.map(|(_, function)| function.to_owned()).collect()
    }

    #[actix_web::test]
    async fn a_stack_begins_in_the_handler_and_omits_the_middleware() {
        let service = serve(Broken).start().await;
        for (path, handler) in [("/broken/error", "breaks"), ("/broken/panic", "panics")] {
            let functions = functions(&service.get(path).send().await);
            assert!(functions[0].starts_with(&format!("cyanotype::test::tests::{handler}")), "{functions:#?}");
            let own = functions.iter().filter(|function| function.trim_start_matches('<').starts_with("cyanotype::"));
            let places = ["cyanotype::test::tests::", "cyanotype::blueprint::mounting::"];
            let mut others = own.filter(|function| !places.iter().any(|place| function.contains(place)));
            assert_eq!(others.next(), None, "{functions:#?}");
        }
    }
}
