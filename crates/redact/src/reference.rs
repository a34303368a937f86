//! A slow reference implementation for JSON: it parses the document, applies every rule at every position, and returns
//! another document. [`Redactor`](crate::Redactor) must return the same result.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::sentence::is_message;
use crate::vocabulary::{DESCRIBING, ERRORS, HARMLESS, JOINED, JOINED_BEFORE, NAMES, SENSITIVE, VALUES};
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
                        || ["d", "p", "q", "dp", "dq", "qi", "k"].contains(&key.as_str())
                            && pairs.iter().any(|(key, _)| key == "kty")
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
    let mut found = [cards(text), tokens(text), social_security_numbers(text), private_members(text)].concat();
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
    static GROUPS: LazyLock<Regex> = LazyLock::new(|| {
        let groupings = [
            r"\d{4}(?:[ .-]\d{4}){3}(?:[ .-]\d{1,3})?",
            r"\d{4}[ .-]\d{6}[ .-]\d{4,5}",
            r"\d{6}[ .-]\d{13}",
            r"\d{4}(?:[ .-]\d{3}){3}",
            r"\d{4}[ .-]\d{4}[ .-]\d{5}",
        ];
        Regex::new(&format!("^(?:{})$", groupings.join("|"))).expect("is a pattern")
    });
    static ISSUED: LazyLock<Regex> = LazyLock::new(|| {
        let ranges = [
            r"4(?:\d{12}|\d{15}|\d{18})",
            r"5[1-5]\d{14}",
            r"(?:222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720|220[0-4])\d{12}",
            r"3[47]\d{13}",
            r"(?:30[0-5]\d|3095|36\d\d|38\d\d|39\d\d)\d{10}",
            r"35(?:2[89]|[3-8]\d)\d{12}",
            r"(?:62\d\d|6011|64[4-9]\d|65\d\d)(?:\d{12}|\d{15})",
            r"(?:50\d\d|5[6-8]\d\d|6304|67\d\d)(?:\d{9,10}|\d{12}|\d{15})",
        ];
        Regex::new(&format!("^(?:{})$", ranges.join("|"))).expect("is a pattern")
    });
    // Only in groups.
    static RARE: LazyLock<Regex> = LazyLock::new(|| {
        let ranges = [
            r"35(?:2[89]|[3-8]\d)\d{13,15}",
            r"(?:62\d\d|6011|64[4-9]\d|65\d\d|50\d\d|5[6-8]\d\d|6304|67\d\d)\d{13,14}",
        ];
        Regex::new(&format!("^(?:{})$", ranges.join("|"))).expect("is a pattern")
    });
    static BEFORE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:[0-9A-Za-z]|[0-9]\.)$").expect("is a pattern"));
    static AFTER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:[0-9A-Za-z]|\.[0-9])").expect("is a pattern"));
    let mut found = Vec::new();
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let starts = ends.iter().enumerate().filter(|(_, at)| text[**at..].starts_with(|c: char| c.is_ascii_digit()));
    for (n, from) in starts {
        // The longest card number has 19 digits and 4 separators.
        for to in ends[n..].iter().take(24) {
            let number = &text[*from..*to];
            let joined: String = number.chars().filter(char::is_ascii_digit).collect();
            let is_grouped = GROUPS.is_match(number);
            let is_issued = ISSUED.is_match(&joined) || is_grouped && RARE.is_match(&joined);
            let digits: Vec<u32> = joined.chars().filter_map(|c| c.to_digit(10)).collect();
            if (is_grouped || joined == number)
                && is_issued
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

/// Tokens with a prefix: the prefix if it is shown, and the secret.
const TOKENS: &[(&str, &str)] = &[
    ("", r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}"),
    ("", r"(?:gh[pousr]_|github_pat_)[0-9A-Za-z_]{36,}"),
    ("", r"gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|wt)-[0-9A-Za-z_.-]{19,}[0-9A-Za-z_-]"),
    ("", r"xox[abceoprs]-[0-9A-Za-z_-]{16,}"),
    ("", r"xoxd-[0-9A-Za-z_+/=%-]{16,}"),
    ("", r"xapp-[0-9A-Za-z_-]{40,}"),
    (r"hooks\.slack\.com/(?:services|workflows|triggers)/", r"[0-9A-Za-z_+/-]{20,}"),
    ("", r"[sr]k_(?:live|test)_[0-9A-Za-z]{16,}"),
    ("", r"whsec_[0-9A-Za-z_+/=%-]{24,}"),
    ("", r"AIza[0-9A-Za-z_-]{35}"),
    ("", r"ya29\.[0-9A-Za-z_.-]{19,}[0-9A-Za-z_-]"),
    ("", r"GOCSPX-[0-9A-Za-z_-]{28,}"),
    ("", r"sk-[0-9A-Za-z]{32,}"),
    ("", r"sk-(?:proj|svcacct|admin|None|ant)-[0-9A-Za-z_-]{20,}"),
    ("", r"SG\.[0-9A-Za-z_.-]{65,}[0-9A-Za-z_-]"),
    ("", r"SK[0-9a-f]{32}"),
    ("", r"npm_[0-9A-Za-z]{36,}"),
    ("", r"pypi-AgE[0-9A-Za-z_-]{50,}"),
    ("(?:AccountKey|SharedAccessKey|sig)=", r"[0-9A-Za-z_+/=%-]{40,}"),
    ("", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
];

/// The tokens with a known prefix that are not part of a longer word or run.
fn tokens(text: &str) -> Vec<(usize, usize)> {
    static ALL: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let compile =
            |(prefix, secret): &(&str, &str)| Regex::new(&format!("^{prefix}({secret})")).expect("is a pattern");
        TOKENS.iter().map(compile).collect()
    });
    static TELEGRAM: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("^[0-9]{8,10}:AA[0-9A-Za-z_-]{33}").expect("is a pattern"));
    static ANY: LazyLock<Regex> = LazyLock::new(|| {
        let all: Vec<String> = TOKENS.iter().map(|(prefix, secret)| format!("{prefix}{secret}")).collect();
        Regex::new(&format!("{}|:AA", all.join("|"))).expect("is a pattern")
    });
    let mut found = Vec::new();
    if !ANY.is_match(text) {
        return found;
    }
    for (at, _) in text.char_indices() {
        let before = text[..at].chars().next_back();
        let token = ALL.iter().filter(|_| !before.is_some_and(|c| c.is_ascii_alphanumeric()));
        for secret in token.filter_map(|token| token.captures(&text[at..])?.get(1)) {
            let after = text[at + secret.end()..].chars().next();
            let has_length = secret.as_str().starts_with("AIza");
            let continues = |c: char| c.is_ascii_alphanumeric() || has_length && "_-".contains(c);
            if !after.is_some_and(continues) {
                found.push((at + secret.start(), at + secret.end()));
            }
        }
        if let Some(token) = TELEGRAM.find(&text[at..]).filter(|_| !before.is_some_and(|c| c.is_ascii_digit())) {
            let after = text[at + token.end()..].chars().next();
            if !after.is_some_and(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
                found.push((at, at + token.end()));
            }
        }
    }
    found
}

/// US social security numbers.
fn social_security_numbers(text: &str) -> Vec<(usize, usize)> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        let area = "(?:00[1-9]|0[1-9][0-9]|[1-578][0-9]{2}|6(?:[0-57-9][0-9]|6[0-57-9]))";
        let group = "(?:0[1-9]|[1-9][0-9])";
        let serial = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})";
        Regex::new(&format!("^{area}-{group}-{serial}")).expect("is a pattern")
    });
    static BEFORE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:[0-9A-Za-z_-]|[0-9]\.)$").expect("is a pattern"));
    static AFTER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:[0-9A-Za-z_-]|\.[0-9])").expect("is a pattern"));
    let starts = text.char_indices().map(|(at, _)| at).filter(|at| !BEFORE.is_match(&text[..*at]));
    let found = starts.filter_map(|at| Some((at, at + NUMBER.find(&text[at..])?.end())));
    found.filter(|(_, end)| !AFTER.is_match(&text[*end..])).collect()
}

/// The values of the private members of JSON Web Keys.
fn private_members(text: &str) -> Vec<(usize, usize)> {
    static KEY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"[^{}]*"kty"[^}]*"#).expect("is a pattern"));
    static MEMBER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#""(?:d|p|q|dp|dq|qi|k)"[ \t\n\x0c\r]*:[ \t\n\x0c\r]*"([^"]+)"#).expect("is a pattern")
    });
    let values = |object: regex::Match<'_>| {
        let members = MEMBER.captures_iter(object.as_str()).filter_map(|it| it.get(1)).collect::<Vec<_>>();
        let hidden = members.into_iter().filter(|it| !it.as_str().starts_with("[redacted]"));
        hidden.map(|it| (object.start() + it.start(), object.start() + it.end())).collect::<Vec<_>>()
    };
    KEY.find_iter(text).flat_map(values).collect()
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |(at, digit): (usize, &u32)| if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}
