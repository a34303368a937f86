//! How a body is to be read, by what its headers say of it.

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};

use crate::redact::Syntax;

/// What the headers say of a body.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContentType {
    /// How it is read for keys; `None` when only its type and size are for the record.
    pub syntax: Option<Syntax>,
    pub content_type: Option<String>,
    /// How it is compressed.
    pub coding: Option<String>,
}

impl ContentType {
    pub fn of(headers: &HeaderMap) -> Self {
        let text =
            |name: HeaderName| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let content_type = text(CONTENT_TYPE);
        let coding = text(CONTENT_ENCODING).filter(|coding| !coding.eq_ignore_ascii_case("identity"));
        let syntax = content_type.as_deref().filter(|_| coding.is_none()).and_then(syntax);
        Self { syntax, content_type, coding }
    }
}

fn syntax(content_type: &str) -> Option<Syntax> {
    let content_type = content_type.to_ascii_lowercase();
    let (essence, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim() == "charset").map(|(_, charset)| charset.trim());
    if charset.is_some_and(|charset| !matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")) {
        return None;
    }
    match essence.trim() {
        "application/x-www-form-urlencoded" => Some(Syntax::Form),
        "application/json" | "application/x-ndjson" => Some(Syntax::Json),
        json if json.ends_with("+json") => Some(Syntax::Json),
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
    fn texts_are_shown_and_everything_else_is_not() {
        for (content_type, syntax) in [
            ("application/json", Syntax::Json),
            ("application/problem+json; charset=utf-8", Syntax::Json),
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
    fn what_a_handler_compressed_is_told_and_not_shown() {
        let coded = read("application/json", Some("gzip"));
        assert_eq!((coded.syntax, coded.coding.as_deref()), (None, Some("gzip")));
        assert_eq!(coded.content_type.as_deref(), Some("application/json"));
    }
}
