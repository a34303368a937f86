//! Serves a blueprint with its own settings, each declared once with type, default, check and documentation.
//!
//! `APP__BLUEPRINTS__GREETER__WORD=Welcome cargo run -p cyanotype --example blueprint_settings`, then
//! `curl localhost:8080/greeter`.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use cyanotype::settings::{BlueprintSettings, Loader, section};
use cyanotype::{Blueprint, LifecycleFuture, Resources, Service};

section! {
    /// Settings below `blueprints.greeter`.
    struct GreeterSettings {
        /// Greeting for visitors
        #[setting(Text, default = "Hello")]
        word: String,
        /// Number of times that the greeting is repeated
        #[setting(Integer(1, 10), default = 1)]
        times: usize,
    }
}

struct Greeter;

impl Blueprint for Greeter {
    fn name(&self) -> &'static str {
        "greeter"
    }

    fn prefix(&self) -> &str {
        "/greeter"
    }

    fn routes(&self, scope: &mut ServiceConfig) {
        scope.route("", web::get().to(greet));
    }

    fn settings(&self) -> BlueprintSettings {
        BlueprintSettings::of::<GreeterSettings>()
    }

    fn start<'a>(&'a self, resources: &'a Resources) -> LifecycleFuture<'a> {
        Box::pin(async move {
            resources.provide(Arc::new(resources.settings::<GreeterSettings>()?));
            Ok(())
        })
    }
}

async fn greet(settings: Data<GreeterSettings>) -> HttpResponse {
    HttpResponse::Ok().body(vec![settings.word.as_str(); settings.times].join(" "))
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let settings = Loader::new("config").process_environment().load()?; // rejects invalid values of the framework's settings
    Ok(Service::new(settings).blueprint(Greeter).run()) // rejects those of blueprints, with exit status 78
}
