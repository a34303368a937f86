//! Conditional requests: entity tags, `If-None-Match` and `If-Match` (RFC 9110, section 13).

use std::fmt::Display;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, TryIntoHeaderPair,
};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::hash::sha256;
use super::parameter;
use super::problem::{Problem, Result};

/// A strong entity tag, unique to one version of one resource. It depends on the id of the resource, not on the path: one
/// path may show different resources to different callers.
///
/// ```
/// use cyanotype::conditional::ETag;
///
/// let (ada, bob) = ("01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058");
/// assert_eq!(ETag::of(ada, 1), ETag::of(ada, 1));
/// assert_ne!(ETag::of(ada, 1), ETag::of(ada, 2));
/// assert_ne!(ETag::of(ada, 1), ETag::of(bob, 1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The tag of a version of a resource: the first half of the SHA-256 of id and version. Every change must increment the
    /// version; a timestamp is not sufficient, because two changes can share one.
    pub fn of(id: impl Display, version: impl Display) -> Self {
        let mut hash = sha256(format!("{id}\0{version}").as_bytes());
        hash.truncate(32);
        Self(hash)
    }
}

impl TryIntoHeaderPair for ETag {
    type Error = std::convert::Infallible;

    fn try_into_pair(self) -> Result<(HeaderName, HeaderValue), Self::Error> {
        let value = HeaderValue::from_str(&format!("\"{}\"", self.0));
        Ok((ETAG, value.expect("hexadecimal digits are ASCII")))
    }
}

/// The entity tags of a header.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    Any,
    List(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    weak: bool,
    opaque: String,
}

/// The `If-None-Match` header: the versions that the client has cached. A GET for one of them gets 304.
///
/// ```
/// use actix_web::HttpResponse;
/// use cyanotype::conditional::{ETag, IfNoneMatch};
///
/// async fn read(if_none_match: IfNoneMatch) -> HttpResponse {
///     let (id, version, name) = (1, 7, "Ada");
///     if_none_match.respond(ETag::of(id, version), name)
/// }
/// ```
#[derive(Debug)]
pub struct IfNoneMatch(Option<Tags>);

impl IfNoneMatch {
    /// 304 if the client has this version, otherwise 200 with `body` as JSON. Both carry the tag and
    /// `cache-control: private, no-cache`, so that the client may cache the body and revalidates it before each use.
    pub fn respond(&self, tag: ETag, body: impl Serialize) -> HttpResponse {
        let is_cached = match &self.0 {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::List(tags)) => tags.iter().any(|cached| cached.opaque == tag.0),
        };
        let mut response = if is_cached { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header(tag).insert_header((CACHE_CONTROL, "private, no-cache"));
        if is_cached { response.finish() } else { response.json(body) }
    }
}

/// For the OpenAPI document.
impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter::header(
            "if-none-match",
            "Entity tags of cached versions; the response is 304 when one of them is current",
        )]
    }
}

impl FromRequest for IfNoneMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // An invalid header counts as absent: the response is complete.
        ready(Ok(Self(tags(request.headers(), IF_NONE_MATCH).ok().flatten())))
    }
}

/// The `If-Match` header: the version of a resource that the client wants to change.
///
/// To prevent a race, the change itself must check the version again: `UPDATE … WHERE id = $1 AND version = $2`. If it
/// affects no row, return [`precondition_failed`].
///
/// ```
/// use cyanotype::Result;
/// use cyanotype::conditional::{ETag, IfMatch};
///
/// async fn change(if_match: IfMatch) -> Result<()> {
///     let (id, stored_version) = (1, 7);
///     if_match.required()?.check(&ETag::of(id, stored_version)) // 428 without a tag, 412 with another one
/// }
/// ```
#[derive(Debug)]
pub struct IfMatch(Option<Tags>);

impl IfMatch {
    /// Whether the header is present.
    #[must_use]
    pub const fn is_present(&self) -> bool {
        self.0.is_some()
    }

    /// Requires the header.
    ///
    /// # Errors
    /// 428 if it is absent.
    pub fn required(self) -> Result<Self> {
        if self.is_present() {
            return Ok(self);
        }
        let detail = "`if-match` is required: send the `etag` of the version to change";
        Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, detail))
    }

    /// Checks the header against the current version.
    ///
    /// # Errors
    /// 412 if the header names only other versions, or is invalid.
    pub fn check(&self, current: &ETag) -> Result<()> {
        match &self.0 {
            Some(Tags::List(tags)) if tags.is_empty() => {
                let detail = "invalid `if-match`: send the `etag` unchanged, in its double quotes";
                Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
            }
            Some(Tags::List(tags)) if !tags.iter().any(|tag| !tag.weak && tag.opaque == current.0) => {
                Err(precondition_failed())
            }
            _ => Ok(()),
        }
    }
}

/// For the OpenAPI document.
impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter::header(
            "if-match",
            "Entity tag of the version to change, in double quotes; the response is 412 when it is not current",
        )]
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // An invalid header matches no version.
        ready(Ok(Self(tags(request.headers(), IF_MATCH).unwrap_or_else(|()| Some(Tags::List(Vec::new()))))))
    }
}

/// 412: the resource has changed since the client read it.
pub fn precondition_failed() -> Problem {
    let detail = "the resource has changed since you read it; read it again and retry";
    Problem::new(StatusCode::PRECONDITION_FAILED, detail)
}

/// The tags of a header; `None` if it is absent.
fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Tags>, ()> {
    let mut values = headers.get_all(name).peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    let mut tags = Vec::new();
    for value in values {
        let value = value.to_str().map_err(drop)?.trim();
        if value == "*" {
            return Ok(Some(Tags::Any));
        }
        parse_list(value, &mut tags)?;
    }
    if tags.is_empty() { Err(()) } else { Ok(Some(Tags::List(tags))) }
}

/// Parses a list such as `"a", W/"b"`. A tag may contain commas.
fn parse_list(mut list: &str, tags: &mut Vec<Tag>) -> Result<(), ()> {
    loop {
        list = list.trim_start_matches([' ', '\t', ',']);
        if list.is_empty() {
            return Ok(());
        }
        let weak = list.starts_with("W/");
        let quoted = list.strip_prefix("W/").unwrap_or(list).strip_prefix('"').ok_or(())?;
        let (opaque, rest) = quoted.split_once('"').ok_or(())?;
        tags.push(Tag { weak, opaque: opaque.to_owned() });
        list = rest.trim_start_matches([' ', '\t']);
        if !list.is_empty() && !list.starts_with(',') {
            return Err(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn request(name: &HeaderName, values: &[&str]) -> HttpRequest {
        let request = TestRequest::default();
        values.iter().fold(request, |request, value| request.append_header((name.clone(), *value))).to_http_request()
    }

    async fn if_match(values: &[&str]) -> Result<IfMatch> {
        IfMatch::extract(&request(&IF_MATCH, values)).await
    }

    fn tag(opaque: &str) -> ETag {
        ETag(opaque.to_owned())
    }

    async fn status_of_read(values: &[&str], opaque: &str) -> u16 {
        let if_none_match = IfNoneMatch::extract(&request(&IF_NONE_MATCH, values)).await.expect("never rejected");
        if_none_match.respond(tag(opaque), "body").status().as_u16()
    }

    #[test]
    fn a_tag_identifies_one_version_of_one_resource() {
        let all = [ETag::of(1, 1), ETag::of(1, 2), ETag::of(2, 1), ETag::of(11, 1), ETag::of(1, 11)];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one), "{all:?}");
        }
        assert_eq!(all[0].0.len(), 32);
    }

    #[actix_web::test]
    async fn a_cached_version_is_not_sent_again() {
        for (values, version, status) in [
            (&[][..], "7", 200),
            (&["\"7\""], "7", 304),
            (&["W/\"7\""], "7", 304),
            (&["\"6\", \"7\""], "7", 304),
            (&["\"6\"", "\"7\""], "7", 304),
            (&["*"], "7", 304),
            (&["\"6\""], "7", 200),
            (&["7"], "7", 200),
            (&["\"a, b\""], "a, b", 304),
        ] {
            assert_eq!(status_of_read(values, version).await, status, "{values:?}");
        }
    }

    #[actix_web::test]
    async fn both_responses_carry_the_tag() {
        for (values, body) in [(&[][..], "\"body\""), (&["\"7\""][..], "")] {
            let if_none_match = IfNoneMatch::extract(&request(&IF_NONE_MATCH, values)).await.expect("never rejected");
            let response = if_none_match.respond(tag("7"), "body");
            assert_eq!(response.headers().get(ETAG), Some(&HeaderValue::from_static("\"7\"")));
            assert_eq!(response.headers().get(CACHE_CONTROL), Some(&HeaderValue::from_static("private, no-cache")));
            let bytes = actix_web::body::MessageBody::try_into_bytes(response.into_body()).expect("a complete body");
            assert_eq!(bytes, body);
        }
    }

    #[actix_web::test]
    async fn if_match_accepts_only_the_current_version() {
        let rejection = async |values: &[&str]| {
            let checked = if_match(values).await.and_then(|if_match| if_match.check(&tag("7")));
            checked.err().map(|problem| actix_web::ResponseError::status_code(&problem).as_u16())
        };
        for good in [&[][..], &["\"7\""], &["\"6\",\t\"7\""], &["*"]] {
            assert_eq!(rejection(good).await, None, "{good:?}");
        }
        for other in [&["\"6\""][..], &["W/\"7\""], &["\"6\", W/\"7\""]] {
            assert_eq!(rejection(other).await, Some(412), "{other:?}");
        }
        for invalid in [&["7"][..], &["\"7"], &["\"7\" \"8\""], &["w/\"7\""], &[""], &[","]] {
            assert_eq!(rejection(invalid).await, Some(412), "{invalid:?}");
        }
    }

    #[actix_web::test]
    async fn a_rejection_distinguishes_an_outdated_tag_from_an_invalid_one() {
        let rejection = async |values: &[&str]| {
            let checked = if_match(values).await.and_then(|if_match| if_match.check(&tag("7")));
            checked.expect_err("a rejection").to_string()
        };
        assert!(rejection(&["\"6\""]).await.contains("has changed"));
        assert!(rejection(&["6"]).await.contains("invalid `if-match`"));
    }

    #[test]
    fn the_document_describes_both_headers() {
        let names = |parameters: Vec<Parameter>| parameters.into_iter().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(names(IfMatch::into_params(|| None)), ["if-match"]);
        assert_eq!(names(IfNoneMatch::into_params(|| None)), ["if-none-match"]);
    }

    #[actix_web::test]
    async fn if_match_can_be_required() {
        let without = if_match(&[]).await.and_then(IfMatch::required).expect_err("a rejection");
        assert_eq!(actix_web::ResponseError::status_code(&without).as_u16(), 428);
        assert!(without.to_string().contains("if-match"));
        assert!(if_match(&["*"]).await.and_then(IfMatch::required).is_ok());
    }
}
