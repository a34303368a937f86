//! A slow reference implementation for JSON: it parses the document, applies every rule at every position, and returns
//! another document. [`Redactor`](crate::Redactor) must return the same result.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::text::is_message;
use crate::vocabulary::{
    DESCRIBING, ERRORS, HARMLESS, JOINED, JOINED_BEFORE, NAMES, PRIVATE_MEMBERS, SENSITIVE, VALUES,
};
use crate::{REDACTED, Redactor};

/// A document that preserves the order of keys, duplicate keys and the notation of numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// A number or a literal, as written in the source.
    Scalar(String),
    /// A string, without its escapes.
    String(String),
    /// An array.
    Array(Vec<Document>),
    /// An object.
    Object(Vec<(String, Document)>),
}

impl Document {
    /// Parses a document; `None` if the text is not JSON.
    pub fn parse(text: &str) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        match raw.get().as_bytes()[0] {
            b'"' => serde_json::from_str(raw.get()).ok().map(Document::String),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
                items.iter().map(|item| Self::parse(item.get())).collect::<Option<_>>().map(Document::Array)
            }
            b'{' => {
                let pairs = serde_json::Deserializer::from_str(raw.get()).deserialize_map(Pairs).ok()?;
                let read = |(key, value): (String, Box<RawValue>)| Some((key, Self::parse(value.get())?));
                pairs.into_iter().map(read).collect::<Option<_>>().map(Document::Object)
            }
            _ => Some(Document::Scalar(raw.get().to_owned())),
        }
    }

    /// The redacted document.
    pub fn redacted(&self) -> Self {
        self.redacted_at(0, &[], false)
    }

    fn redacted_at(&self, depth: u32, around: &[&str], strict: bool) -> Self {
        match self {
            Document::Scalar(text) if text.starts_with(['t', 'f', 'n']) => self.clone(),
            Document::Scalar(text) => {
                let integer = text.strip_suffix(".0").unwrap_or(text);
                if strict || !cards(integer).is_empty() { hidden() } else { self.clone() }
            }
            Document::String(text) if strict && !is_message(text) => hidden(),
            Document::String(text) => Document::String(redact_string(text, depth)),
            Document::Array(items) => {
                Document::Array(items.iter().map(|item| item.redacted_at(depth, around, strict)).collect())
            }
            Document::Object(pairs) => {
                let is_secret_name = |name: &Document| matches!(name, Document::String(name) if is_sensitive(name));
                let names_secret = pairs.iter().any(|(key, name)| {
                    NAMES.contains(&key.as_str())
                        && (is_secret_name(name)
                            || matches!(name, Document::Array(items) if items.iter().any(is_secret_name)))
                });
                let shown = |(key, value): &(String, Document)| {
                    let is_secret = is_sensitive(key)
                        || names_secret && VALUES.contains(&key.as_str())
                        || PRIVATE_MEMBERS.contains(&key.as_str()) && pairs.iter().any(|(key, _)| key == "kty")
                        || key == "auth" && around.contains(&"auths");
                    let is_error = is_secret && around.iter().any(|key| ERRORS.contains(key));
                    let is_literal = matches!(value, Document::Scalar(text) if text.starts_with(['t', 'f', 'n']));
                    let value = if is_secret && !is_error && !is_literal {
                        hidden()
                    } else {
                        value.redacted_at(depth, &[around, &[key]].concat(), strict || is_error)
                    };
                    (redact_text(key), value)
                };
                Document::Object(pairs.iter().map(shown).collect())
            }
        }
    }

    /// The document with normalized whitespace of JSON inside strings, which is not compared.
    pub fn normal(&self) -> Self {
        match self {
            Document::Scalar(_) => self.clone(),
            Document::String(text) => {
                Document::String(Self::parse(text).map_or_else(|| text.clone(), |inner| inner.normal().text()))
            }
            Document::Array(items) => Document::Array(items.iter().map(Self::normal).collect()),
            Document::Object(pairs) => {
                Document::Object(pairs.iter().map(|(key, value)| (key.clone(), value.normal())).collect())
            }
        }
    }

    /// The document as JSON.
    pub fn text(&self) -> String {
        let quoted = |text: &str| serde_json::to_string(text).expect("a text is JSON");
        match self {
            Document::Scalar(text) => text.clone(),
            Document::String(text) => quoted(text),
            Document::Array(items) => format!("[{}]", items.iter().map(Self::text).collect::<Vec<_>>().join(",")),
            Document::Object(pairs) => {
                let pair = |(key, value): &(String, Document)| format!("{}:{}", quoted(key), value.text());
                format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(","))
            }
        }
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

fn hidden() -> Document {
    Document::String("[redacted]".into())
}

fn redact_string(text: &str, depth: u32) -> String {
    let looks_like_json = depth < 5 && text.trim_start().starts_with(['{', '[', '"']);
    match Document::parse(text).filter(|_| looks_like_json) {
        Some(inner) => {
            let redacted = inner.redacted_at(depth + 1, &[], false);
            if redacted == inner { text.to_owned() } else { redacted.text() }
        }
        None => redact_text(text),
    }
}

/// The rule for text itself, which must redact at least all that [`patterns`] finds.
fn redact_text(text: &str) -> String {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);
    let shown = REDACTOR.rules.redact_text(text, false).map_or_else(|| text.to_owned(), Cow::into_owned);
    let left = patterns(&shown);
    assert!(left.iter().all(|(from, to)| &shown[*from..*to] == REDACTED), "{left:?} in {shown:?} of {text:?}");
    shown
}

/// Whether the words of a key contain those of a sensitive key, and its last word does not describe them.
fn is_sensitive(key: &str) -> bool {
    static ENTRIES: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
        let joined = JOINED_BEFORE.iter().flat_map(|before| JOINED.map(|end| format!("{before}{end}")));
        SENSITIVE.split_whitespace().map(str::to_owned).chain(joined).map(|key| words_of(&key, 0)).collect()
    });
    let is_word = |word: &String, entry: &str| {
        word.strip_prefix(entry).is_some_and(|digits| digits.chars().all(|c| c.is_ascii_digit()))
    };
    // The number of words after each sensitive key.
    let mut after = Vec::new();
    for words in (0..3).map(|way| words_of(key, way)) {
        for from in 0..words.len() {
            let rest = &words[from..];
            let fits = |entry: &&Vec<String>| {
                rest.len() >= entry.len() && rest.iter().zip(*entry).all(|(word, entry)| is_word(word, entry))
            };
            after.extend(ENTRIES.iter().filter(fits).map(|entry| rest.len() - entry.len()));
        }
    }
    let words = words_of(key, 0);
    let describes = |last: &String| DESCRIBING.split_whitespace().any(|describing| is_word(last, describing));
    let is_described = !after.contains(&0) && words.last().is_some_and(describes);
    let is_harmless = HARMLESS.split_whitespace().any(|harmless| words.ends_with(&words_of(harmless, 0)));
    !after.is_empty() && !is_described && !is_harmless
}

/// The words of a text in lower case, split in one of three ways: at capitals, at the end of capitals, or at neither.
fn words_of(text: &str, way: u8) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = vec![String::new()];
    for (n, c) in chars.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| chars[n]);
        let after = chars.get(n + 1).copied();
        let upper = |c: Option<char>| c.is_some_and(char::is_uppercase);
        let rises = c.is_uppercase() && before.is_some() && !upper(before);
        let in_word = words.last().map_or(0, |word| word.chars().count());
        let begins = match way {
            0 => rises || c.is_uppercase() && after.is_some_and(char::is_lowercase),
            1 => rises || c.is_lowercase() && upper(before) && in_word > 1,
            _ => false,
        };
        if !c.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            let word = words.last_mut().expect("begins with one");
            word.extend(c.to_lowercase().map(|c| if c == 'ſ' { 's' } else { c }));
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The ranges of all secrets that match a pattern; they may overlap.
fn patterns(text: &str) -> Vec<(usize, usize)> {
    static BEARER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^(?i:bearer)[ \t\n\x0c\r:="'+]+([A-Za-z0-9\-._~/%][A-Za-z0-9\-._~+/%=]*)"#).expect("is a pattern")
    });
    static JWT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^eyJ[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*)+").expect("is a pattern"));
    static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"(?s)^(?:-+ ?)?BEGIN [A-Z0-9 ]{0,42}?(?i:private key)(?:.*?END .*?PRIVATE KEY(?: BLOCK)?-*|.*)";
        Regex::new(pattern).expect("is a pattern")
    });
    let mut found = cards(text);
    for (at, _) in text.char_indices() {
        let rest = &text[at..];
        let glued = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let token = BEARER.captures(rest).and_then(|it| it.get(1)).filter(|_| !glued);
        let whole = [JWT.find(rest), BLOCK.find(rest)].into_iter().flatten();
        found.extend(token.into_iter().chain(whole).map(|it| (at + it.start(), at + it.end())));
    }
    found
}

fn cards(text: &str) -> Vec<(usize, usize)> {
    static CARD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?:[2-6]\d{12,18}|[2-6]\d{3}(?:[ .-]\d{1,7})+)$").expect("is a pattern"));
    static BEFORE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:[0-9A-Za-z]|[0-9]\.)$").expect("is a pattern"));
    static AFTER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:[0-9A-Za-z]|\.[0-9])").expect("is a pattern"));
    let mut found = Vec::new();
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    for (n, from) in ends.iter().enumerate() {
        // The longest card number has 19 digits and 15 separators.
        for to in ends[n..].iter().take(40) {
            let digits: Vec<u32> = text[*from..*to].chars().filter_map(|c| c.to_digit(10)).collect();
            if (13..=19).contains(&digits.len())
                && CARD.is_match(&text[*from..*to])
                && !BEFORE.is_match(&text[..*from])
                && !AFTER.is_match(&text[*to..])
                && luhn(&digits)
            {
                found.push((*from, *to));
            }
        }
    }
    found
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |(at, digit): (usize, &u32)| if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}
