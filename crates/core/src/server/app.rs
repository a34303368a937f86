//! The app of each worker, and the order of its middleware.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};
use cyanotype_actix::response_log::{Config, ResponseLogger, Rules};
use cyanotype_actix::{ClientAddressResolver, RootSpan};
use cyanotype_telemetry::Pipeline;
use tracing_actix_web::TracingLogger;

use super::new_connections::NewConnection;
use crate::api;
use crate::api::pages::Pages;
use crate::blueprint::mounting::{mount, no_such_route};
use crate::blueprint::registry::{self, EnabledBlueprint};
use crate::blueprint::resources::RegisterValue;
use crate::blueprint::started::StartedBlueprints;
use crate::database::Database;
use crate::flags::{self, RequestFlags};
use crate::handler::extract::BodyLimits;
use crate::middleware::compression::Compression;
use crate::middleware::conditional_layer::ConditionalLayer;
use crate::middleware::context::with_request_context;
use crate::middleware::cors;
use crate::middleware::errors::convert_failures;
use crate::middleware::gate::Gate;
use crate::middleware::in_flight::InFlightRequests;
use crate::middleware::optional_layer::OptionalLayer;
use crate::middleware::preflights::handle_preflights;
use crate::middleware::rate_limit::{Limiters, limit_rate};
use crate::middleware::response_headers::DefaultHeaders;
use crate::middleware::timeout::enforce_timeout;
use crate::sentry::{self, Transactions};
use crate::settings::{CorsSettings, Settings, TrailingSlash};

/// Builds the app of each worker.
#[derive(Clone)]
pub(crate) struct AppFactory {
    pub blueprints: Vec<EnabledBlueprint>,
    pub database: Database,
    /// Functions that register the provided values.
    pub registrations: Vec<RegisterValue>,
    /// The OpenAPI document and its pages, when they are served.
    pub pages: Option<Pages>,
    pub body_limits: BodyLimits,
    /// Maximum time until a handler starts its response; zero for no limit.
    pub handler_timeout: Duration,
    pub cors: CorsSettings,
    pub compression: bool,
    pub gate: Gate,
    pub trailing_slash: TrailingSlash,
    /// Shared by all workers.
    pub rate_limiters: Option<Arc<Limiters>>,
    pub pipeline: &'static Pipeline,
    pub response_log: Config,
    pub default_headers: DefaultHeaders,
    /// The requests of all workers.
    pub in_flight: InFlightRequests,
    pub address_resolver: ClientAddressResolver,
    /// Evaluates the flags of a request, when a flag provider is configured.
    pub flags: Option<RequestFlags>,
    /// Starts Sentry transactions, when `sentry.traces_sample_rate` is above 0.
    pub transactions: Option<Transactions>,
    /// `sentry.traces_follow_caller`.
    pub follows_caller: bool,
}

impl AppFactory {
    /// A factory with these settings and the started blueprints. `patterns` are those of all routes.
    pub(crate) fn new(
        settings: &Settings,
        pipeline: &'static Pipeline,
        blueprints: Vec<EnabledBlueprint>,
        rules: Rules,
        patterns: Vec<String>,
        running: &StartedBlueprints,
        api_info: &api::ApiInfo<'_>,
    ) -> Self {
        let server = &settings.server;
        let address_resolver = ClientAddressResolver::new(&server.client_address);
        let rate_limits = |enabled: &EnabledBlueprint| (enabled.blueprint.prefix().to_owned(), enabled.rate_limits());
        let rate_limits = blueprints.iter().map(rate_limits);
        let pages = server.docs.then(|| Pages::new(&api::document(api_info, registry::apis(&blueprints))));
        Self {
            rate_limiters: Limiters::new(server, rate_limits).map(Arc::new),
            blueprints,
            pages,
            database: running.database().clone(),
            registrations: running.registrations(),
            body_limits: BodyLimits { max_body_bytes: server.max_body_bytes, timeout: server.request_timeout() },
            handler_timeout: server.handler_timeout(),
            cors: server.cors.clone(),
            compression: server.compression,
            gate: Gate::new(server),
            trailing_slash: server.trailing_slash,
            pipeline,
            response_log: Config::new(&settings.log, address_resolver.clone(), rules),
            default_headers: DefaultHeaders::new(server),
            in_flight: InFlightRequests::new(patterns),
            flags: flags::start(settings, api_info.name, pipeline),
            transactions: sentry::transactions(settings),
            follows_caller: settings.sentry.traces_follow_caller,
            address_resolver,
        }
    }

    /// The app. As actix requires, the innermost middleware is wrapped first; the last one wrapped receives a request first.
    pub(crate) fn app(
        self,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<impl MessageBody>,
            Error = Error,
            InitError = (),
        >,
    > {
        let pipeline = self.pipeline;
        let (gate, slash) = (self.gate, self.trailing_slash);
        let resolver = self.address_resolver.clone();
        let cors = cors::layer(&self.cors);
        let limiters = self.rate_limiters.clone();
        let preflights =
            cors.as_ref().map(|_| from_fn(move |request, next| handle_preflights(limiters.clone(), request, next)));
        let limited =
            |limiters: Arc<Limiters>| from_fn(move |request, next| limit_rate(Arc::clone(&limiters), request, next));
        let rate_limit = self.rate_limiters.map(limited);
        let handler_timeout = Some(self.handler_timeout).filter(|limit| !limit.is_zero());
        let app = App::new()
            .app_data(self.body_limits)
            .app_data(self.database)
            .configure(|config| {
                self.registrations.iter().for_each(|register| register(config));
                if let Some(flags) = self.flags.clone() {
                    config.app_data(flags);
                }
                mount(config, &self.blueprints, self.flags.as_ref());
                if let Some(pages) = self.pages {
                    pages.mount(config);
                }
            })
            .default_service(web::to(no_such_route))
            // Innermost: the limit applies to the handler alone, and a timeout is a failure like any other.
            .wrap_fn(move |request, inner| enforce_timeout(handler_timeout, request, inner))
            // Before routing; its responses are counted and recorded like all others.
            .wrap_fn(move |request, inner| gate.pass(request, inner))
            // Inside the layers below, so that they receive a response and never a panic.
            .wrap_fn(convert_failures)
            // Before any handler or extractor; rejected requests have a context, a record and all headers.
            .wrap(OptionalLayer { layer: rate_limit, map_response: |response| response })
            // Outside the rate limit and the failures, so that scripts of other origins can read these responses; inside the
            // response log, which records preflights.
            .wrap(OptionalLayer { layer: cors, map_response: ServiceResponse::map_into_boxed_body })
            .wrap(OptionalLayer { layer: preflights, map_response: |response| response })
            // Inside compression, so that it receives uncompressed bytes; outside the failures, so that it records them.
            .wrap(ResponseLogger::new(pipeline, self.response_log))
            .wrap(Compression { is_on: self.compression })
            // Opens the root span of the request, with the ids of the request context.
            .wrap(ConditionalLayer {
                layer: TracingLogger::<RootSpan>::new(),
                is_on: move || RootSpan::is_enabled() && pipeline.snapshot().may_record_requests(),
                map_applied: ServiceResponse::map_into_left_body,
                map_skipped: ServiceResponse::map_into_right_body,
            })
            .wrap_fn(move |request, inner| {
                with_request_context(
                    pipeline,
                    &self.default_headers,
                    &self.address_resolver,
                    &self.in_flight,
                    slash,
                    request,
                    inner,
                )
            });
        let (has_transactions, follows_caller) = (self.transactions.is_some(), self.follows_caller);
        // Outside the context, which takes over the hub that this layer binds, and the ids of its transaction. Without transactions
        // the context creates its own hub, at a tenth of the cost.
        let transactions = self.transactions.map(|layer| ConditionalLayer {
            layer,
            is_on: move || pipeline.snapshot().event_sinks_active(),
            map_applied: |response| response,
            map_skipped: |response| response,
        });
        let app = app.wrap(OptionalLayer { layer: transactions, map_response: |response| response });
        // Outermost: the layers inside may read the client's address, scheme or host.
        app.wrap_fn(move |mut request, inner| {
            if let Some(connection) = request.conn_data::<NewConnection>() {
                connection.begin_request();
            }
            resolver.override_connection_info(&mut request);
            if has_transactions {
                sentry::set_trace_header(request.headers_mut(), follows_caller);
            }
            inner.call(request)
        })
    }
}
