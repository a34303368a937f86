//! Requests that ask about what the client knows already: entity tags, `If-None-Match` and `If-Match` (RFC 9110, 13).

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

/// A strong entity tag: the same for as long as its resource has not changed, and never again once it has. No two resources
/// share one, for what a path shows may depend on who reads it.
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
    /// The tag of a version of the resource with this id: the first half of their SHA-256. Every change must make another
    /// version: a number that counts them. A time does not do, for two changes can share one.
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

/// Tags that a client names.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    Any,
    These(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    weak: bool,
    opaque: String,
}

/// What a client has of a resource already: the answer to a GET is 304 when it still has it.
///
/// ```
/// use actix_web::HttpResponse;
/// use cyanotype::conditional::{ETag, IfNoneMatch};
///
/// async fn read(known: IfNoneMatch) -> HttpResponse {
///     let (id, version, name) = (1, 7, "Ada");
///     known.answer(ETag::of(id, version), name)
/// }
/// ```
#[derive(Debug)]
pub struct IfNoneMatch(Option<Tags>);

impl IfNoneMatch {
    /// 304 to a client that has this, else 200 with it as JSON. Both carry the tag, and let the client keep what it got as
    /// long as it asks again before each use.
    pub fn answer(&self, tag: ETag, body: impl Serialize) -> HttpResponse {
        let known = match &self.0 {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::These(tags)) => tags.iter().any(|known| known.opaque == tag.0),
        };
        let mut answer = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        answer.insert_header(tag).insert_header((CACHE_CONTROL, "private, no-cache"));
        if known { answer.finish() } else { answer.json(body) }
    }
}

/// For the API document.
impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter::header(
            "if-none-match",
            "Entity tags that the client has already; the response is 304 when one of them is current",
        )]
    }
}

impl FromRequest for IfNoneMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // What cannot be read knows nothing: the answer is whole then.
        ready(Ok(Self(tags(request.headers(), IF_NONE_MATCH).ok().flatten())))
    }
}

/// Which version of a resource a client wants to change.
///
/// To hold when the change is made, the version that was checked belongs into the change itself:
/// `UPDATE … WHERE id = $1 AND version = $2`. What finds nothing then is answered [`changed`].
///
/// ```
/// use cyanotype::Result;
/// use cyanotype::conditional::{ETag, IfMatch};
///
/// async fn change(wanted: IfMatch) -> Result<()> {
///     let (id, stored_version) = (1, 7);
///     wanted.required()?.check(&ETag::of(id, stored_version)) // 428 without a tag, 412 with another one
/// }
/// ```
#[derive(Debug)]
pub struct IfMatch(Option<Tags>);

impl IfMatch {
    /// Whether the client names a version at all.
    #[must_use]
    pub const fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// Insists on a version.
    ///
    /// # Errors
    /// 428 when the client names none.
    pub fn required(self) -> Result<Self> {
        if self.is_given() {
            return Ok(self);
        }
        let detail = "say which version this changes: read it, and send its `etag` as `if-match`";
        Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, detail))
    }

    /// Checks the resource's version as it is now.
    ///
    /// # Errors
    /// 412 when the client wants to change another.
    pub fn check(&self, now: &ETag) -> Result<()> {
        match &self.0 {
            Some(Tags::These(tags)) if tags.is_empty() => {
                let detail = "`if-match` names no version: send the `etag` as it was sent to you, in its double quotes";
                Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
            }
            Some(Tags::These(tags)) if !tags.iter().any(|tag| !tag.weak && tag.opaque == now.0) => Err(changed()),
            _ => Ok(()),
        }
    }
}

/// For the API document.
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
        // What cannot be read names no version.
        ready(Ok(Self(tags(request.headers(), IF_MATCH).unwrap_or_else(|()| Some(Tags::These(Vec::new()))))))
    }
}

/// 412: what was to be changed is not any more what the client knew.
pub fn changed() -> Problem {
    let detail = "this has changed since you read it: read it again, and decide anew";
    Problem::new(StatusCode::PRECONDITION_FAILED, detail)
}

/// The tags of a header; `None` when it is not there.
fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Tags>, ()> {
    let mut given = headers.get_all(name).peekable();
    if given.peek().is_none() {
        return Ok(None);
    }
    let mut tags = Vec::new();
    for value in given {
        let value = value.to_str().map_err(drop)?.trim();
        if value == "*" {
            return Ok(Some(Tags::Any));
        }
        listed(value, &mut tags)?;
    }
    if tags.is_empty() { Err(()) } else { Ok(Some(Tags::These(tags))) }
}

/// `"a", W/"b"`. Commas may stand inside a tag too.
fn listed(mut list: &str, tags: &mut Vec<Tag>) -> Result<(), ()> {
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
        let known = IfNoneMatch::extract(&request(&IF_NONE_MATCH, values)).await.expect("is never refused");
        known.answer(tag(opaque), "body").status().as_u16()
    }

    #[test]
    fn a_tag_is_of_one_resource_in_one_version() {
        let all = [ETag::of(1, 1), ETag::of(1, 2), ETag::of(2, 1), ETag::of(11, 1), ETag::of(1, 11)];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one), "{all:?}");
        }
        assert_eq!(all[0].0.len(), 32);
    }

    #[actix_web::test]
    async fn what_a_client_has_is_not_sent_again() {
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
    async fn both_answers_carry_the_tag() {
        for (values, body) in [(&[][..], "\"body\""), (&["\"7\""][..], "")] {
            let known = IfNoneMatch::extract(&request(&IF_NONE_MATCH, values)).await.expect("is never refused");
            let answer = known.answer(tag("7"), "body");
            assert_eq!(answer.headers().get(ETAG), Some(&HeaderValue::from_static("\"7\"")));
            assert_eq!(answer.headers().get(CACHE_CONTROL), Some(&HeaderValue::from_static("private, no-cache")));
            let bytes = actix_web::body::MessageBody::try_into_bytes(answer.into_body()).expect("is whole");
            assert_eq!(bytes, body);
        }
    }

    #[actix_web::test]
    async fn a_change_is_of_the_version_that_it_names() {
        let refusal = async |values: &[&str]| {
            let checked = if_match(values).await.and_then(|wanted| wanted.check(&tag("7")));
            checked.err().map(|problem| actix_web::ResponseError::status_code(&problem).as_u16())
        };
        for good in [&[][..], &["\"7\""], &["\"6\",\t\"7\""], &["*"]] {
            assert_eq!(refusal(good).await, None, "{good:?}");
        }
        for other in [&["\"6\""][..], &["W/\"7\""], &["\"6\", W/\"7\""]] {
            assert_eq!(refusal(other).await, Some(412), "{other:?}");
        }
        for unreadable in [&["7"][..], &["\"7"], &["\"7\" \"8\""], &["w/\"7\""], &[""], &[","]] {
            assert_eq!(refusal(unreadable).await, Some(412), "{unreadable:?}");
        }
    }

    #[actix_web::test]
    async fn a_refusal_tells_an_outdated_tag_from_one_that_cannot_be_parsed() {
        let refusal = async |values: &[&str]| {
            let checked = if_match(values).await.and_then(|wanted| wanted.check(&tag("7")));
            checked.expect_err("is refused").to_string()
        };
        assert!(refusal(&["\"6\""]).await.contains("has changed"));
        assert!(refusal(&["6"]).await.contains("names no version"));
    }

    #[test]
    fn the_document_names_both_headers() {
        let names = |parameters: Vec<Parameter>| parameters.into_iter().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(names(IfMatch::into_params(|| None)), ["if-match"]);
        assert_eq!(names(IfNoneMatch::into_params(|| None)), ["if-none-match"]);
    }

    #[actix_web::test]
    async fn a_version_can_be_insisted_on() {
        let without = if_match(&[]).await.and_then(IfMatch::required).expect_err("is refused");
        assert_eq!(actix_web::ResponseError::status_code(&without).as_u16(), 428);
        assert!(without.to_string().contains("if-match"));
        assert!(if_match(&["*"]).await.and_then(IfMatch::required).is_ok());
    }
}
