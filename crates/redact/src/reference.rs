//! A slow reference implementation for JSON: it parses the document, applies every rule at every position, and returns
//! another document. [`Redactor`](crate::Redactor) must return the same result.

use std::sync::LazyLock;

use regex::Regex;
use regex::bytes::{Captures, Match};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

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
        self.redacted_at(0)
    }

    fn redacted_at(&self, depth: u32) -> Self {
        match self {
            Document::Scalar(text) => {
                let integer = text.strip_suffix(".0").unwrap_or(text);
                if cards(integer).is_empty() { self.clone() } else { hidden() }
            }
            Document::String(text) => Document::String(redact_string(text, depth)),
            Document::Array(items) => Document::Array(items.iter().map(|item| item.redacted_at(depth)).collect()),
            Document::Object(pairs) => {
                let shown = |(key, value): &(String, Document)| {
                    let value = if is_sensitive(key) { hidden() } else { value.redacted_at(depth) };
                    (redact_key(key), value)
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
    let given = unescaped(text).iter().any(|text| assigns_sensitive_key(text));
    let named = unescaped(text).iter().any(|text| !sensitive_runs(text).is_empty());
    let looks_like_json = depth < 5 && text.trim_start().starts_with(['{', '[', '"']);
    let may_hold_inside = named && looks_like_json;
    if !given && !may_hold_inside && !contains_secret(text) {
        return text.to_owned();
    }
    if let Some(inner) = Document::parse(text).filter(|_| looks_like_json) {
        let inner = inner.redacted_at(depth + 1).text();
        if !contains_secret(&inner) {
            return inner;
        }
    }
    if given { "[redacted]".into() } else { redact_found(text) }
}

fn redact_key(key: &str) -> String {
    let given = unescaped(key).iter().any(|key| assigns_sensitive_key(key));
    if given { "[redacted]".into() } else { redact_found(key) }
}

fn redact_found(text: &str) -> String {
    if !contains_secret(text) {
        return text.to_owned();
    }
    let shown = redact_ranges(text, &patterns(text));
    if contains_secret(&shown) { "[redacted]".into() } else { shown }
}

const KEYS: &str = "password passwd passphrase pwd passcode pin otp totp mfa secret token jwt bearer authorization auth_header \
    cookie session_id sessionid sid csrf xsrf api_key apikey access_key private_key signing_key encryption_key credential \
    credentials card_number cardnumber credit_card cvv cvc iban account_number routing_number ssn social_security tax_id \
    pass_word pass_phrase pass_code";

fn is_sensitive(key: &str) -> bool {
    !sensitive_runs(key).is_empty()
}

/// The ends of word sequences that are a sensitive key. The text is split into words in three ways, and complete words
/// are compared, without trailing digits.
fn sensitive_runs(text: &str) -> Vec<usize> {
    (0..3).flat_map(|way| runs_of_words(text, way)).collect()
}

fn runs_of_words(text: &str, way: u8) -> Vec<usize> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut words: Vec<(String, usize)> = vec![(String::new(), 0)];
    for (n, (at, c)) in chars.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| chars[n].1);
        let after = chars.get(n + 1).map(|(_, c)| *c);
        let upper = |c: Option<char>| c.is_some_and(char::is_uppercase);
        let rises = c.is_uppercase() && before.is_some() && !upper(before);
        let in_word = words.last().map_or(0, |(word, _)| word.chars().count());
        let begins = match way {
            0 => rises || c.is_uppercase() && after.is_some_and(char::is_lowercase),
            1 => rises || c.is_lowercase() && upper(before) && in_word > 1,
            _ => false,
        };
        if !c.is_alphanumeric() || begins {
            words.push((String::new(), 0));
        }
        if c.is_alphanumeric() {
            let word = words.last_mut().expect("begins with one");
            word.0.extend(c.to_lowercase().map(|c| if c == 'ſ' { 's' } else { c }));
            word.1 = at + c.len_utf8();
        }
    }
    words.retain(|(word, _)| !word.is_empty());
    let mut ends = Vec::new();
    for from in 0..words.len() {
        for to in from + 1..=words.len().min(from + 2) {
            let run: Vec<&str> =
                words[from..to].iter().map(|(word, _)| word.trim_end_matches(|c: char| c.is_ascii_digit())).collect();
            if KEYS.split_whitespace().any(|key| key == run.join("_")) {
                ends.push(words[to - 1].1);
            }
        }
    }
    ends
}

/// An assignment sign within forty characters after the rest of the name and any spaces.
fn assigns_sensitive_key(text: &str) -> bool {
    let is_assignment = |after: &str| {
        let name = after.chars().take(200).take_while(|c| c.is_alphanumeric() || "_-.]\"'\\".contains(*c)).count();
        let space = after.chars().skip(name).take(200).take_while(|c| *c == ' ').count();
        after.chars().skip(name + space).take(40).any(|c| "=:：>|\t\n".contains(c))
    };
    sensitive_runs(text).into_iter().any(|end| is_assignment(&text[end..]))
}

fn contains_secret(text: &str) -> bool {
    unescaped(text).iter().any(|text| !patterns(text).is_empty())
}

/// The text, and the text decoded once, twice and three times.
fn unescaped(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    while let Some(next) = decoded(all.last().expect("begins with one")).filter(|_| all.len() <= 3) {
        all.push(next);
    }
    all
}

fn decoded(text: &str) -> Option<String> {
    static ESCAPE: LazyLock<regex::bytes::Regex> = LazyLock::new(|| {
        let pattern = r#"%([0-9A-Fa-f]{2})|\\x([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\([ntrbf"'\\/])"#;
        regex::bytes::Regex::new(pattern).expect("is a pattern")
    });
    ESCAPE.is_match(text.as_bytes()).then(|| {
        let shown = ESCAPE.replace_all(text.as_bytes(), |found: &Captures<'_>| {
            let code = |digits: Match<'_>| {
                let digits = std::str::from_utf8(digits.as_bytes()).expect("they are ASCII");
                u32::from_str_radix(digits, 16).expect("they are hexadecimal")
            };
            match (found.get(1).or(found.get(2)), found.get(3), found.get(4)) {
                (Some(byte), _, _) => vec![code(byte) as u8],
                (_, Some(unit), _) => char::from_u32(code(unit)).unwrap_or(' ').to_string().into_bytes(),
                (_, _, Some(c)) => match c.as_bytes() {
                    b"n" => b"\n".to_vec(),
                    b"t" => b"\t".to_vec(),
                    b"r" | b"b" | b"f" => b" ".to_vec(),
                    c => c.to_vec(),
                },
                _ => unreachable!("one of them is there"),
            }
        });
        String::from_utf8_lossy(&shown).into_owned()
    })
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

fn redact_ranges(text: &str, found: &[(usize, usize)]) -> String {
    let mut shown = String::new();
    let mut at = 0;
    while at < text.len() {
        // Overlapping ranges are one secret.
        let mut end = at;
        while let Some((_, to)) = found.iter().find(|(from, to)| *from < end.max(at + 1) && *to > end && *from >= at) {
            end = *to;
        }
        if end > at {
            shown.push_str("[redacted]");
            at = end;
        } else {
            let c = text[at..].chars().next().expect("is not at the end");
            shown.push(c);
            at += c.len_utf8();
        }
    }
    shown
}
