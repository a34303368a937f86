//! A provider for the OpenFeature Remote Evaluation Protocol (OFREP).
//!
//! The crate `open-feature-ofrep` is not used: it adds a second TLS library and logs every failure at error.

use std::time::Duration;

use async_trait::async_trait;
use cyanotype_telemetry::failure::display_chain;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use open_feature::provider::{FeatureProvider, ProviderMetadata, ResolutionDetails};
use open_feature::{
    EvaluationContext, EvaluationContextFieldValue, EvaluationError, EvaluationErrorCode, EvaluationResult, StructValue,
};
use rustls::RootCertStore;
use serde_json::{Map, Value, json};

/// How long an idle connection is reused.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Maximum response body size in bytes.
const MAX_BODY_BYTES: usize = 64 << 10;

pub(crate) struct Ofrep {
    /// `https://flags.example/ofrep/v1/evaluate/flags`
    flags_url: String,
    authorization: Option<HeaderValue>,
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    metadata: ProviderMetadata,
}

impl Ofrep {
    pub(crate) fn new(url: &str, token: Option<&str>) -> Result<Self, String> {
        let authorization = token.map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| "the token of the flag provider contains characters that are not allowed in a header")?;
            value.set_sensitive(true);
            Ok::<_, &str>(value)
        });
        Ok(Self {
            flags_url: format!("{}/ofrep/v1/evaluate/flags", url.trim_end_matches('/')),
            authorization: authorization.transpose()?,
            client: client(),
            metadata: ProviderMetadata::new("ofrep"),
        })
    }

    /// Evaluates a flag. The error is `ProviderNotReady` if the provider cannot be reached.
    async fn resolve<T>(
        &self,
        flag: &str,
        context: &EvaluationContext,
        read: impl Fn(&Value) -> Option<T>,
    ) -> EvaluationResult<ResolutionDetails<T>> {
        let body = json!({"context": context_json(context)}).to_string();
        let mut request = Request::post(format!("{}/{flag}", self.flags_url)).header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::from(body)).map_err(|error| unavailable(error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| unavailable(display_chain(&error)))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|error| unavailable(display_chain(&*error)))?.to_bytes();
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(evaluation_error(EvaluationErrorCode::FlagNotFound, "")),
            StatusCode::BAD_REQUEST => return Err(error_response(&body)),
            _ => return Err(unavailable(format!("flag provider returned {status}"))),
        }
        let response: Value = serde_json::from_slice(&body).map_err(|error| {
            evaluation_error(EvaluationErrorCode::ParseError, &format!("response is not JSON: {error}"))
        })?;
        match response.get("value") {
            // The flag has no default variant: the caller's default applies.
            None | Some(Value::Null) => Err(evaluation_error(EvaluationErrorCode::FlagNotFound, "")),
            Some(value) => read(value)
                .map(ResolutionDetails::new)
                .ok_or_else(|| evaluation_error(EvaluationErrorCode::TypeMismatch, "unexpected value type")),
        }
    }
}

fn unavailable(reason: String) -> EvaluationError {
    EvaluationError { code: EvaluationErrorCode::ProviderNotReady, message: Some(reason) }
}

fn evaluation_error(code: EvaluationErrorCode, message: &str) -> EvaluationError {
    EvaluationError { code, message: Some(message.to_owned()) }
}

/// The error in the response of a provider that cannot evaluate a flag.
fn error_response(body: &[u8]) -> EvaluationError {
    let response: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| response.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let code = match text("errorCode").as_str() {
        "FLAG_NOT_FOUND" => EvaluationErrorCode::FlagNotFound,
        "TARGETING_KEY_MISSING" => EvaluationErrorCode::TargetingKeyMissing,
        "PROVIDER_NOT_READY" => EvaluationErrorCode::ProviderNotReady,
        "PARSE_ERROR" => EvaluationErrorCode::ParseError,
        "INVALID_CONTEXT" => EvaluationErrorCode::InvalidContext,
        other => EvaluationErrorCode::General(other.to_owned()),
    };
    EvaluationError { code, message: Some(format!("{} {}", text("errorCode"), text("errorDetails"))) }
}

fn context_json(context: &EvaluationContext) -> Map<String, Value> {
    let mut map = Map::new();
    if let Some(key) = &context.targeting_key {
        map.insert("targetingKey".to_owned(), key.as_str().into());
    }
    for (name, value) in &context.custom_fields {
        // This crate adds only string fields.
        if let EvaluationContextFieldValue::String(text) = value {
            map.insert(name.clone(), text.as_str().into());
        }
    }
    map
}

fn client() -> legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>> {
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()))
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT).build(connector)
}

#[async_trait]
impl FeatureProvider for Ofrep {
    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(flag, context, Value::as_bool).await
    }

    async fn resolve_int_value(
        &self,
        flag: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(flag, context, Value::as_i64).await
    }

    async fn resolve_float_value(
        &self,
        flag: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(flag, context, Value::as_f64).await
    }

    async fn resolve_string_value(
        &self,
        flag: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        self.resolve(flag, context, |value| value.as_str().map(str::to_owned)).await
    }

    async fn resolve_struct_value(
        &self,
        _: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        Err(evaluation_error(EvaluationErrorCode::TypeMismatch, "object flags are not supported"))
    }
}
