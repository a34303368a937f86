//! The syntax and encoding of a body, from its headers.

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};

use cyanotype_redact::Syntax;

/// The type and encoding of a body.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContentType {
    /// The syntax for redaction; `None` when only type and size are recorded.
    pub syntax: Option<Syntax>,
    pub content_type: Option<HeaderValue>,
    /// The content coding, if the body is compressed.
    pub coding: Option<HeaderValue>,
}

impl ContentType {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).cloned();
        let coding = coding(headers);
        let syntax = match content_type.as_ref().filter(|_| coding.is_none()).map(HeaderValue::as_bytes) {
            // The most common type, without allocation.
            Some(b"application/json") => Some(Syntax::Json),
            Some(other) => syntax(&String::from_utf8_lossy(other)),
            None => None,
        };
        Self { syntax, content_type, coding: coding.cloned() }
    }
}

/// Whether a media type, without its parameters, is JSON or has the suffix `+json`.
#[must_use]
pub fn is_json(essence: &str) -> bool {
    let suffix = essence.len().checked_sub("+json".len()).and_then(|at| essence.get(at..));
    essence.eq_ignore_ascii_case("application/json")
        || essence.contains('/') && suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json"))
}

/// The content coding of a compressed body.
#[must_use]
pub fn coding(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get_all(CONTENT_ENCODING).find(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// The syntax in which a body of this content type is redacted; `None` when only its type and size are recorded.
#[must_use]
pub fn syntax(content_type: &str) -> Option<Syntax> {
    let content_type = content_type.to_ascii_lowercase();
    let (essence, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim() == "charset").map(|(_, charset)| charset.trim());
    if charset.is_some_and(|charset| !matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")) {
        return None;
    }
    match essence.trim() {
        "application/x-www-form-urlencoded" => Some(Syntax::Form),
        "application/x-ndjson" => Some(Syntax::Json),
        json if is_json(json) => Some(Syntax::Json),
        "application/xml" => Some(Syntax::Text),
        text if text.starts_with("text/") || text.ends_with("+xml") => Some(Syntax::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, coding: Option<&str>) -> ContentType {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().expect("a header"));
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, coding.parse().expect("a header"));
        }
        ContentType::of(&headers)
    }

    #[test]
    fn only_text_types_have_a_syntax() {
        for (content_type, syntax) in [
            ("application/json", Syntax::Json),
            ("application/problem+json; charset=utf-8", Syntax::Json),
            ("application/VND.X+JSON; charset=utf-8", Syntax::Json),
            ("Application/JSON", Syntax::Json),
            ("text/html; charset=UTF-8", Syntax::Text),
            ("text/event-stream", Syntax::Text),
            ("image/svg+xml", Syntax::Text),
            ("application/x-www-form-urlencoded", Syntax::Form),
        ] {
            assert_eq!(read(content_type, None).syntax, Some(syntax), "{content_type}");
            assert_eq!(read(content_type, Some("identity")).syntax, Some(syntax), "{content_type}");
        }
        for hidden in [
            "application/octet-stream",
            "image/png",
            "multipart/form-data; boundary=x",
            "text/plain; charset =utf-16",
            "",
        ] {
            assert_eq!(read(hidden, None).syntax, None, "{hidden}");
        }
    }

    #[test]
    fn a_compressed_body_has_a_coding_and_no_syntax() {
        let coded = read("application/json", Some("gzip"));
        assert_eq!((coded.syntax, coded.coding), (None, Some(HeaderValue::from_static("gzip"))));
        assert_eq!(coded.content_type, Some(HeaderValue::from_static("application/json")));
    }
}
