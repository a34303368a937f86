//! Where flags of a flag system are evaluated; the one file that the feature `flags` changes.

use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use cyanotype_telemetry::{Level, Pipeline, Report};
use uuid::Uuid;

use crate::settings::{FlagProvider, Settings};

/// The flags of requests.
#[cfg(feature = "flags")]
#[derive(Clone)]
pub(crate) struct RequestFlags {
    flags: cyanotype_flags::Flags,
    pipeline: &'static Pipeline,
}

/// The flags of requests: there are none in this build.
#[cfg(not(feature = "flags"))]
#[derive(Clone)]
pub(crate) struct RequestFlags(std::convert::Infallible);

/// Starts to evaluate the flags of the process, where the settings name a flag system. `service` is its name.
#[cfg(feature = "flags")]
pub(crate) fn start(settings: &Settings, service: &str, pipeline: &'static Pipeline) -> Option<RequestFlags> {
    use cyanotype_flags::{FlagSource, Flags, Notice, Process};
    use cyanotype_telemetry::effective::FlagValues;

    let section = &settings.flags;
    let by = section.provider.as_str();
    // The settings have checked that each provider has its place.
    let source = match section.provider {
        FlagProvider::None => return None,
        FlagProvider::Flagd => FlagSource::File(section.file.clone()?.into()),
        FlagProvider::Ofrep => FlagSource::Ofrep { url: section.url.clone()?, token: section.token.clone() },
    };
    let environment = settings.sentry.environment.clone();
    let process = Process {
        service: service.to_owned(),
        instance: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        environment: environment.unwrap_or_else(|| settings.env.as_str().to_owned()),
        release: settings.sentry.release.clone().unwrap_or_default(),
    };
    let report = move |level, message: String| {
        pipeline.report(Report::service(level, message).with("provider", by));
    };
    let notify = move |notice| match notice {
        Notice::Changed(values) => pipeline.set_flags(to_telemetry(values), by),
        Notice::Away(reason) => report(Level::Warning, format!("the flag system cannot be used: {reason}")),
        Notice::Back => report(Level::Info, "the flag system can be used again".to_owned()),
        Notice::Ignored(reason) => report(Level::Warning, reason),
    };
    // From now on each request may have flags.
    pipeline.set_flags(FlagValues::default(), by);
    Some(RequestFlags { flags: Flags::start(source, process, notify), pipeline })
}

/// There is no flag system in this build, which is reported where the settings name one.
#[cfg(not(feature = "flags"))]
pub(crate) fn start(settings: &Settings, _: &str, pipeline: &'static Pipeline) -> Option<RequestFlags> {
    let provider = settings.flags.provider;
    if provider != FlagProvider::None {
        let message = "flags.provider is set, and this build has no flag system in it: build with the feature `flags`";
        pipeline.report(Report::service(Level::Warning, message).with("provider", provider.as_str()));
    }
    None
}

#[cfg(feature = "flags")]
fn to_telemetry(values: cyanotype_flags::Values) -> cyanotype_telemetry::effective::FlagValues {
    let debug = values.debug.then_some(Level::Debug);
    cyanotype_telemetry::effective::FlagValues { mode: values.mode, level: values.level, debug }
}

impl RequestFlags {
    /// Those that an app evaluates.
    #[cfg(feature = "flags")]
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        request.app_data::<Self>().cloned()
    }

    /// None in this build.
    #[cfg(not(feature = "flags"))]
    pub(crate) fn of(_: &HttpRequest) -> Option<Self> {
        None
    }

    /// Evaluates the flags of the current request, as far as it is known yet.
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

    /// There are none to evaluate.
    #[cfg(not(feature = "flags"))]
    pub(crate) async fn evaluate(&self, _: Option<Uuid>) {
        match self.0 {}
    }
}

/// Evaluates a request's flags before its handler is called.
pub(crate) async fn evaluate_request_flags<B: MessageBody + 'static>(
    flags: RequestFlags,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    flags.evaluate(None).await;
    next.call(request).await
}
