//! Property tests: the redactor returns the same result as its reference, and leaks no part of a secret.

use proptest::prelude::*;

use crate::reference::Document;
use crate::{Redactor, Syntax};

/// The value of sensitive keys. At most its first three letters are ever shown.
const SECRET: &str = "t0psecretvalue";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r";
const CARDS: [&str; 4] = ["4111111111111111", "5500 0055 5555 5559", "3782-822463-10005", "6011.0009.9013.9424"];
const TOKENS: [&str; 5] = [
    concat!("gh", "p_t0psecretvalue0123456789abcdefghijklmnop"),
    concat!("xo", "xb-t0psecretvalue-012345678901"),
    concat!("sk-", "ant-api03-t0psecretvalue-_012345678901"),
    concat!("https://hooks.slack.", "com/services/T0123/B0123/t0psecretvalue"),
    concat!("AccountKey=t0psecretvalue", "0123456789+/0123456789abcdefghijklmnop=="),
];
const BLOCK: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----";

/// The parts of secrets that a text leaks.
fn leaked(shown: &str) -> Vec<&'static str> {
    let parts = ["t0ps", "eyJh", "MIIEo", "5500 005", "3782-822", "6011.000", "4111111", "523-45-6"];
    parts.into_iter().filter(|part| shown.contains(part)).collect()
}

fn sensitive_key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("password"),
        Just("userPassword"),
        Just("API-Key"),
        Just("x_session_id"),
        Just("TOKEN"),
        Just("card.number"),
        Just("clientSecret"),
        Just("authHeader"),
        Just("pin"),
    ]
    .prop_map(str::to_owned)
}

fn plain_key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("shipping".to_owned()),
        Just("note".to_owned()),
        Just("token s".to_owned()),
        "[a-zA-Z_ %\\\\é]{0,12}"
    ]
}

fn plain_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "[a-zA-Z0-9 =:&;%\"\\\\/.\\n\\t-]{0,30}",
        "[0-9 .-]{0,30}",
        Just("the password is wrong".to_owned()),
        Just("ſecret K \u{2028}".to_owned()),
    ]
}

/// A text with a secret that is recognized by its form or by a key in the text.
fn text_with_secret() -> impl Strategy<Value = String> {
    let secret = prop_oneof![
        Just(format!("Bearer {SECRET}")),
        Just(format!("token={SECRET}")),
        Just(format!("p%61ssword%3D{SECRET}")),
        Just(format!("{{\"pwd\":\"{SECRET}\"}}")),
        Just(JWT.to_owned()),
        Just(BLOCK.to_owned()),
        prop::sample::select(&CARDS[..]).prop_map(str::to_owned),
        prop::sample::select(&TOKENS[..]).prop_map(str::to_owned),
        Just(r#"{"kty":"oct","k":"t0psecretvalue"}"#.to_owned()),
        Just("523-45-6789".to_owned()),
    ];
    ("[ (,€]{0,3}", secret, "[ ),é]{0,3}").prop_map(|(before, secret, after)| before + &secret + &after)
}

fn scalar() -> impl Strategy<Value = Document> {
    prop_oneof![
        prop_oneof![
            Just("true"),
            Just("null"),
            Just("-0.5e3"),
            Just("4111111111111111"),
            Just("4111111111111111.0"),
            Just("-4111111111111111"),
            Just("1732305600000"),
            Just("4111111111111112")
        ]
        .prop_map(|text| Document::Scalar(text.into())),
        any::<f64>()
            .prop_filter("JSON has only finite numbers", |it| it.is_finite())
            .prop_map(|it| Document::Scalar(serde_json::json!(it).to_string())),
        plain_text().prop_map(Document::String),
        text_with_secret().prop_map(Document::String),
    ]
}

fn secret_value() -> impl Strategy<Value = Document> {
    prop_oneof![
        Just(Document::String(SECRET.into())),
        Just(Document::Array(vec![Document::String(SECRET.into()), Document::Scalar("4111111111111111".into())])),
        Just(Document::Object(vec![("a}\"".into(), Document::String(SECRET.into()))])),
        Just(Document::Scalar("4111111111".into())),
    ]
}

fn document() -> impl Strategy<Value = Document> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Document::Array),
            prop::collection::vec(
                prop_oneof![2 => (plain_key(), inner.clone()), 1 => (sensitive_key(), secret_value())],
                0..5
            )
            .prop_map(Document::Object),
            // JSON as a string inside JSON.
            inner.prop_map(|inner| Document::String(inner.text())),
        ]
    })
}

/// The document's text with random whitespace, and with some letters as escapes.
fn written(document: &Document, noise: &[u8]) -> String {
    let mut noise = noise.iter().copied().cycle();
    let mut next = move || noise.next().unwrap_or(0);
    let mut out = String::new();
    let mut inside = false;
    let mut escaped = false;
    for c in document.text().chars() {
        if !inside && matches!(c, '{' | '}' | '[' | ']' | ':' | ',' | '"') && next() % 4 == 0 {
            out.push_str([" ", "\n\t", "\r\n", "  "][usize::from(next() % 4)]);
        }
        if inside && !escaped && c != '"' && c != '\\' && c.is_ascii() && next() % 16 == 0 {
            out.push_str(&format!("\\u{:04X}", u32::from(c)));
        } else {
            out.push(c);
        }
        match c {
            '"' if !escaped => inside = !inside,
            _ => {}
        }
        escaped = inside && c == '\\' && !escaped;
    }
    out
}

/// `PROPTEST_CASES=20000` runs more cases.
pub(crate) fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_result_equals_the_reference(document in document(), noise in prop::collection::vec(any::<u8>(), 1..40)) {
        let text = written(&document, &noise);
        let shown = Redactor::default().content(text.as_bytes(), Syntax::Json, usize::MAX, true);
        prop_assert!(!shown.truncated);
        let read = Document::parse(&shown.text).map(|read| read.normal());
        prop_assert_eq!(read, Some(document.redacted().normal()), "{} became {}", text, shown.text);
    }

    #[test]
    fn data_is_redacted_like_a_body(document in document()) {
        let text = document.text();
        // `Value` preserves neither duplicate keys nor the notation of numbers.
        if let Ok(mut data) = serde_json::from_str::<serde_json::Value>(&text) && Document::parse(&data.to_string()) == Some(document.clone()) {
            Redactor::default().data(&mut data);
            let shown = Document::parse(&data.to_string()).map(|shown| shown.normal());
            prop_assert_eq!(shown, Some(document.redacted().normal()));
        }
    }

    #[test]
    fn no_part_of_a_document_leaks_a_secret(
        document in document(),
        noise in prop::collection::vec(any::<u8>(), 1..40),
        part in any::<prop::sample::Index>(),
    ) {
        let text = written(&document, &noise);
        let cut = part.index(text.len() + 1);
        let redactor = Redactor::default();
        let whole = redactor.content(text.as_bytes(), Syntax::Json, usize::MAX, true).text;
        // A part may show text that the complete document also shows, such as one that only resembles a secret.
        let allowed = leaked(&whole);
        for (body, limit, complete) in [(&text.as_bytes()[..cut], usize::MAX, false), (text.as_bytes(), cut, true)] {
            let shown = redactor.content(body, Syntax::Json, limit, complete).text;
            prop_assert!(shown.len() <= limit);
            let leaked: Vec<_> = leaked(&shown).into_iter().filter(|part| !allowed.contains(part)).collect();
            prop_assert!(leaked.is_empty(), "{:?} in {} of {}", leaked, shown, text);
        }
    }

    #[test]
    fn no_part_of_a_text_leaks_a_recognizable_secret(
        before in "[b-d ,]{0,30}",
        secret in prop_oneof![Just(JWT), prop::sample::select(&CARDS[..])],
        after in "[b-d ,]{0,30}",
        part in any::<prop::sample::Index>(),
    ) {
        let text = format!("{before} {secret} {after}");
        let cut = part.index(text.len() + 1);
        let redactor = Redactor::default();
        let whole = redactor.content(text.as_bytes(), Syntax::Text, usize::MAX, true).text;
        prop_assert_eq!(whole, format!("{before} [redacted] {after}"));
        for (body, limit, complete) in [(&text.as_bytes()[..cut], usize::MAX, false), (text.as_bytes(), cut, true)] {
            let shown = redactor.content(body, Syntax::Text, limit, complete).text;
            prop_assert!(leaked(&shown).is_empty(), "{} of {}", shown, text);
        }
    }

    #[test]
    fn pairs_leak_no_secret(
        plain in "[a-z]{1,8}",
        key in sensitive_key(),
        text in text_with_secret(),
        part in any::<prop::sample::Index>(),
    ) {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair(&plain, "shown")
            .append_pair(&key, SECRET)
            .append_pair("next", &text)
            .finish();
        let redactor = Redactor::default();
        let shown = redactor.query(&form);
        prop_assert!(shown.starts_with(&format!("{plain}=")) && leaked(&shown).is_empty(), "{} of {}", shown, form);
        let cut = part.index(form.len() + 1);
        let shown = redactor.content(&form.as_bytes()[..cut], Syntax::Form, usize::MAX, false).text;
        prop_assert!(leaked(&shown).is_empty(), "{} of {}", shown, form);
    }
}
