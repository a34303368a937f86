//! Evaluates the flags of a feature-flag provider. This is the only file that depends on the feature `flags`.

use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use cyanotype_telemetry::{Level, Pipeline, Report};
use uuid::Uuid;

use crate::settings::{FlagProvider, Settings};

/// Evaluates the flags of requests.
#[cfg(feature = "flags")]
#[derive(Clone)]
pub(crate) struct RequestFlags {
    flags: cyanotype_flags::Flags,
    pipeline: &'static Pipeline,
}

/// Evaluates the flags of requests; without the feature no value exists.
#[cfg(not(feature = "flags"))]
#[derive(Clone)]
pub(crate) struct RequestFlags(std::convert::Infallible);

/// Starts the evaluation of the process's flags, when `flags.provider` is set. `service` is the service's name.
#[cfg(feature = "flags")]
pub(crate) fn start(settings: &Settings, service: &str, pipeline: &'static Pipeline) -> Option<RequestFlags> {
    use cyanotype_flags::{FlagEvent, FlagSource, Flags, ProcessContext};
    use cyanotype_telemetry::effective::FlagValues;

    let section = &settings.flags;
    let provider = section.provider.as_str();
    // The settings guarantee that the provider has its source.
    let source = match section.provider {
        FlagProvider::None => return None,
        FlagProvider::Flagd => FlagSource::File(section.file.clone()?.into()),
        FlagProvider::Ofrep => FlagSource::Ofrep { url: section.url.clone()?, token: section.token.clone() },
    };
    let environment = settings.sentry.environment.clone();
    let process = ProcessContext {
        service: service.to_owned(),
        instance: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        environment: environment.unwrap_or_else(|| settings.env.as_str().to_owned()),
        release: settings.sentry.release.clone().unwrap_or_default(),
    };
    let report = move |level, message: String| {
        pipeline.report(Report::service(level, message).with("provider", provider));
    };
    let notify = move |event| match event {
        FlagEvent::Changed(values) => pipeline.set_flags(to_telemetry(values), provider),
        FlagEvent::Unavailable(reason) => {
            report(Level::Warning, format!("flag provider unavailable, no flag applies: {reason}"))
        }
        FlagEvent::Available => report(Level::Info, "flag provider available again".to_owned()),
        FlagEvent::Ignored(reason) => report(Level::Warning, reason),
    };
    // Marks flags as active, so that each request evaluates its own.
    pipeline.set_flags(FlagValues::default(), provider);
    Some(RequestFlags { flags: Flags::start(source, process, notify), pipeline })
}

/// Without the feature there are no flags; a configured provider is reported.
#[cfg(not(feature = "flags"))]
pub(crate) fn start(settings: &Settings, _: &str, pipeline: &'static Pipeline) -> Option<RequestFlags> {
    let provider = settings.flags.provider;
    if provider != FlagProvider::None {
        let message = "flags.provider is set, but this build has no flag provider: rebuild with the feature `flags`, or unset flags.provider";
        pipeline.report(Report::service(Level::Warning, message).with("provider", provider.as_str()));
    }
    None
}

#[cfg(feature = "flags")]
fn to_telemetry(values: cyanotype_flags::EvaluatedFlags) -> cyanotype_telemetry::effective::FlagValues {
    let debug = values.debug.then_some(Level::Debug);
    cyanotype_telemetry::effective::FlagValues { mode: values.mode, level: values.level, debug }
}

impl RequestFlags {
    /// The evaluator of the app, if it has one.
    #[cfg(feature = "flags")]
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        request.app_data::<Self>().cloned()
    }

    /// Always `None` in this build.
    #[cfg(not(feature = "flags"))]
    pub(crate) fn of(_: &HttpRequest) -> Option<Self> {
        None
    }

    /// Evaluates the flags of the current request, with the attributes known so far.
    #[cfg(feature = "flags")]
    pub(crate) async fn evaluate(&self, caller: Option<Uuid>) {
        let Some(request) = cyanotype_telemetry::request::current() else { return };
        let identity = request.identity();
        let (route, caller) = (identity.transaction(), caller.map(|id| id.to_string()));
        let subject = cyanotype_flags::Subject {
            blueprint: identity.blueprint(),
            route: route.as_deref(),
            caller: caller.as_deref(),
        };
        let values = self.flags.evaluate(&subject).await;
        self.pipeline.set_request_flags(&request, to_telemetry(values));
    }

    /// Unreachable: no value exists.
    #[cfg(not(feature = "flags"))]
    pub(crate) async fn evaluate(&self, _: Option<Uuid>) {
        match self.0 {}
    }
}

/// Middleware that evaluates a request's flags before its handler runs.
pub(crate) async fn evaluate_request_flags<B: MessageBody + 'static>(
    flags: RequestFlags,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    flags.evaluate(None).await;
    next.call(request).await
}
