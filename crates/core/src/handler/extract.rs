//! Extractors for validated bodies, queries and paths. A rejection names the invalid field.
//!
//! No response repeats a value that the client sent: it may be a secret, and responses are logged.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderValue};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use cyanotype_actix::content_type;
use cyanotype_telemetry::request;
use futures_util::StreamExt;
use garde::Validate;
use serde::de::{self, DeserializeOwned, IgnoredAny, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::idempotency;
use super::problem::{FieldError, Problem};
use super::serde_messages;
use super::strict_structs::StrictStructs;

/// Limits on request bodies, from the settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    pub max_body_bytes: usize,
    pub timeout: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { max_body_bytes: 1 << 20, timeout: Duration::from_secs(10) }
    }
}

/// A JSON body, deserialized and validated.
///
/// A struct must be a JSON object; an array of its fields is rejected at every depth. Rejections:
///
/// - 400 for malformed JSON, with the position
/// - 408 for a body that does not arrive within `server.request_timeout_s`
/// - 413 for a body larger than `server.max_body_bytes`
/// - 415 for another content type, and for a body with a `content-encoding`
/// - 422 for invalid values, with the paths of their fields
///
/// ```
/// use cyanotype::extract::Json;
/// use garde::Validate;
///
/// #[derive(serde::Deserialize, Validate)]
/// struct Note {
///     #[garde(length(min = 1, max = 200))]
///     text: String,
/// }
///
/// async fn write(Json(note): Json<Note>) -> String {
///     note.text
/// }
/// ```
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A query string, deserialized and validated. Rejects invalid values with 422 and the name of the parameter.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// The path parameters, deserialized. Rejects an invalid value with 400 and the name of the parameter.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Validate<Context = ()> + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = content_type::is_json(request.content_type());
        let is_encoded = content_type::coding(request.headers()).is_some();
        let limits = request.app_data::<BodyLimits>().copied().unwrap_or_default();
        let payload = payload.take();
        let request = request.clone();
        Box::pin(async move {
            if is_encoded {
                let unsupported =
                    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the body without `content-encoding`");
                return Err(unsupported.header(ACCEPT_ENCODING, HeaderValue::from_static("identity")));
            }
            if !is_json {
                let detail = "send the body as JSON, with `content-type: application/json`";
                return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
            }
            if declared_length(&request).is_some_and(|length| length > limits.max_body_bytes as u64) {
                return Err(too_large(limits.max_body_bytes));
            }
            let timed_out = |_| {
                let detail = format!("the body did not arrive within {} s", limits.timeout.as_secs());
                Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
            };
            let body = tokio::time::timeout(limits.timeout, read(payload, limits.max_body_bytes))
                .await
                .map_err(timed_out)??;
            idempotency::record_body_hash(&request, &body);
            let value = parse(&body)?;
            validate(&value)?;
            Ok(Self(value))
        })
    }
}

fn declared_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {limit} bytes"))
}

async fn read(mut payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("the body is incomplete"))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(StrictStructs(&mut json)).map_err(|error| {
        let path = error.path().to_string();
        rejection(&path, error.inner(), body)
    })?;
    json.end().map_err(|error| rejection(".", &error, body))?;
    Ok(value)
}

fn rejection(path: &str, error: &serde_json::Error, body: &[u8]) -> Problem {
    let message = error.to_string();
    let (line, column) = (error.line(), error.column());
    let message = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    // Redaction identifies secrets by their keys, so a body without keys is not logged: an array in place of an object, or a
    // document that is not an object.
    let is_object = body.trim_ascii_start().starts_with(b"{") && !message.starts_with("trailing characters");
    if message.starts_with("invalid type: sequence") || !is_object {
        request::with_current(|request| request.withhold_body());
    }
    // serde reports some type errors as syntax errors, such as a number instead of a variant name.
    if error.is_data() || serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        return Problem::invalid_field(&field(path, message), serde_messages::rewrite(message));
    }
    Problem::bad_request(format!("the body is not valid JSON: {message} at line {line} column {column}"))
}

impl<T: DeserializeOwned + Validate<Context = ()>> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = serde_urlencoded::Deserializer::new(form_pairs(request.query_string()));
        let value = serde_path_to_error::deserialize(query).map_err(|error| {
            let message = error.inner().to_string();
            Problem::invalid_field(&field(&error.path().to_string(), &message), serde_messages::rewrite(&message))
        });
        ready(value.and_then(|value| validate(&value).map(|()| Self(value))))
    }
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

impl<T: DeserializeOwned> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let deserializer = actix_router::PathDeserializer::new(request.match_info());
        let value = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            // serde reports no path for a single parameter: its name is in the pattern.
            let only_parameter = request.match_info().iter().next().map(|(name, _)| name.to_owned());
            let name = if path == "." { only_parameter.unwrap_or(path) } else { path };
            let fields = vec![FieldError { field: name, message: serde_messages::rewrite(&error.inner().to_string()) }];
            Problem::bad_request("invalid path parameter").with_fields(fields)
        });
        ready(value.map(Self))
    }
}

fn validate<T: Validate<Context = ()>>(value: &T) -> Result<(), Problem> {
    value.validate().map_err(|report| {
        let fields = report.iter();
        let errors =
            fields.map(|(path, error)| FieldError { field: path.to_string(), message: error.message().to_owned() });
        Problem::invalid(errors.collect())
    })
}

/// Deserializes an integer, for `#[serde(deserialize_with = …)]`. Like JSON Schema it also accepts `5.0`.
///
/// # Errors
/// If the value is not an integer.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Line {
///     #[serde(deserialize_with = "cyanotype::extract::integer")]
///     quantity: i64,
/// }
/// let line: Line = serde_json::from_str(r#"{"quantity": 5.0}"#)?;
/// assert_eq!(line.quantity, 5);
/// assert!(serde_json::from_str::<Line>(r#"{"quantity": 5.5}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_any(IntegerVisitor)
}

/// Deserializes an optional integer like [`integer`]; add `#[serde(default)]`.
///
/// # Errors
/// If the value is neither an integer nor null.
pub fn optional_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(deserialize_with = "integer")] i64);
    Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|Wrapped(number)| number))
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
        /// Larger floating-point numbers do not represent every integer.
        const MAX_EXACT: f64 = (1_u64 << 53) as f64;
        match number.fract() == 0.0 && number.abs() <= MAX_EXACT {
            true => Ok(number as i64),
            false => Err(E::invalid_type(Unexpected::Float(number), &self)),
        }
    }
}

/// The path of the invalid field. For a missing field serde reports the path of the object, so its name is appended.
fn field(path: &str, message: &str) -> String {
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match (path, missing) {
        ("." | "", Some(name)) => name.into(),
        ("." | "", None) => "(root)".into(),
        (path, Some(name)) => format!("{path}.{name}"),
        (path, None) => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only deserialized")]
    struct Line {
        sku: String,
        quantity: u32,
    }

    fn rejection_body(body: &str) -> String {
        let problem = parse::<Vec<Line>>(body.as_bytes()).expect_err("a rejection");
        let response = problem.to_response(None, None, crate::settings::Env::Prod);
        let bytes = actix_web::body::MessageBody::try_into_bytes(response.into_body()).expect("a complete body");
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    #[test]
    fn malformed_json_is_reported_with_its_position() {
        assert!(rejection_body(r#"[{"sku": ]"#).contains("expected value at line 1 column 10"));
        assert!(rejection_body(r#"[] x"#).contains("trailing characters at line 1 column 4"));
    }

    #[test]
    fn valid_json_of_the_wrong_type_is_not_reported_as_malformed() {
        #[derive(Debug, serde::Deserialize)]
        enum Status {
            Paid,
        }
        let status =
            |body: &str| parse::<Status>(body.as_bytes()).expect_err("a rejection").error_response().status().as_u16();
        assert_eq!([status("5"), status("[]"), status("\"x\""), status("5 5")], [422, 422, 422, 400]);
        assert!(matches!(parse("\"Paid\"".as_bytes()), Ok(Status::Paid)));
    }

    #[test]
    fn an_array_in_place_of_an_object_is_rejected() {
        for (body, field) in [(r#"[["A", 1]]"#, "[0]"), (r#"[{"sku": "A", "quantity": 1}, ["A", 1]]"#, "[1]")] {
            let errors = rejection_body(body);
            assert!(errors.contains(field) && errors.contains("expected an object, got an array"), "{errors}");
        }
    }

    #[test]
    fn an_invalid_field_is_reported_with_its_path_and_without_its_value() {
        let errors = rejection_body(r#"[{"sku":"A","quantity":"hunter2"}]"#);
        assert!(
            errors.contains("[0].quantity")
                && errors.contains("expected a whole number from 0 to 4294967295, got a string"),
            "{errors}"
        );
        assert!(!errors.contains("hunter2"), "{errors}");
        let missing = rejection_body(r#"[{"sku":"A"}]"#);
        assert!(missing.contains("[0].quantity") && missing.contains("missing field `quantity`"), "{missing}");
        let unknown = rejection_body(r#"[{"sku":"A","hunter2":1}]"#);
        assert!(unknown.contains("expected `sku` or `quantity`"), "{unknown}");
    }
}
