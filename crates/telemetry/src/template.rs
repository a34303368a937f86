//! Templates of messages: the text without its variable parts, by which messages and failures are grouped.
//!
//! `tracing` and `Display` format before we see the text. Numbers, UUIDs, hexadecimal digits and quoted texts are taken for the
//! arguments, and so is any word with a digit, because that is how ids look.

use std::hash::Hasher;

/// What stands in a template for a variable part: the placeholder of Sentry's `logentry`.
const PLACEHOLDER: &str = "%s";

/// Characters that join the parts of one variable, such as `12.5`, `10:30:00`, `2026-11-27` or `3/4`.
const JOINERS: [u8; 7] = *b".,:-+/_";

/// Words with a digit that are terms, not ids.
const TERMS: [&str; 38] = [
    "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "f32", "f64", "utf8", "utf16", "utf32",
    "base32", "base58", "base64", "md5", "sha1", "sha2", "sha3", "sha256", "sha384", "sha512", "http1", "http2",
    "http3", "h2", "h3", "ipv4", "ipv6", "ed25519", "x509", "oauth2", "rs256", "hs256", "sqlite3",
];

/// Opening and closing quotation marks.
const QUOTES: [(char, char); 7] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('„', '“'), ('«', '»')];

/// A message, divided into its template and the variable parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<'a> {
    /// The text with `%s` for each variable part, and with `%%` for a percent sign if there is any variable part.
    pub text: String,
    /// The variable parts, in order.
    pub parameters: Vec<&'a str>,
}

impl<'a> Template<'a> {
    /// Finds the variable parts of a text.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let pieces: Vec<Piece<'_>> = Pieces::of(text).collect();
        let is_constant = pieces.iter().all(|piece| matches!(piece, Piece::Literal(_)));
        let mut template = String::with_capacity(text.len());
        let mut parameters = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Literal(literal) if is_constant => template.push_str(literal),
                Piece::Literal(literal) => template.push_str(&literal.replace('%', "%%")),
                Piece::Variable(variable) => {
                    template.push_str(PLACEHOLDER);
                    parameters.push(variable);
                }
            }
        }
        Self { text: template, parameters }
    }
}

/// Hashes the template of a text, without allocating it.
pub(crate) fn hash(text: &str, hasher: &mut impl Hasher) {
    for piece in Pieces::of(text) {
        match piece {
            Piece::Literal(literal) => hasher.write(literal.as_bytes()),
            // A byte that no UTF-8 text contains.
            Piece::Variable(_) => hasher.write_u8(0xff),
        }
    }
    hasher.write_u8(0xfe);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    Variable(&'a str),
}

/// The pieces of a text, in order. It takes time in proportion to the text's length.
struct Pieces<'a> {
    text: &'a str,
    /// Where the next piece begins.
    start: usize,
    /// Where the next variable part is looked for: after the quotation mark that ends the previous one.
    search: usize,
    /// The variable part that follows the literal that was returned last.
    variable: Option<(usize, usize)>,
    /// The kinds of quotation marks, as bits, of which no further pair exists.
    unpaired: u8,
}

impl<'a> Pieces<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, start: 0, search: 0, variable: None, unpaired: 0 }
    }

    fn find_variable(&mut self) -> Option<(usize, usize)> {
        let mut at = self.search;
        while let Some(c) = self.text[at..].chars().next() {
            let after = at + c.len_utf8();
            if let Some(end) = self.closing_quote(c, at) {
                self.search = end + self.text[end..].chars().next().map_or(0, char::len_utf8);
                return Some((after, end));
            }
            if !c.is_alphanumeric() {
                at = after;
            } else if let Some(end) = variable_end(self.text, at) {
                self.search = end;
                return Some((self.with_sign(at), end));
            } else {
                at = word_end(self.text, at);
            }
        }
        self.search = self.text.len();
        None
    }

    /// Where the quotation ends that begins with this character.
    fn closing_quote(&mut self, open: char, at: usize) -> Option<usize> {
        let kind = QUOTES.iter().position(|(first, _)| *first == open)?;
        let bit = 1 << kind;
        // An apostrophe follows a letter.
        let is_apostrophe = open == '\'' && self.text[..at].ends_with(char::is_alphanumeric);
        if is_apostrophe || self.unpaired & bit != 0 {
            return None;
        }
        let close = QUOTES[kind].1;
        let content = at + open.len_utf8();
        let end = find_close(&self.text[content..], close).map(|end| content + end);
        if end.is_none() {
            self.unpaired |= bit;
        }
        end
    }

    /// The start of a number with its sign.
    fn with_sign(&self, at: usize) -> usize {
        let before = &self.text[self.start..at];
        match before.strip_suffix(['-', '+']) {
            Some(before) if !before.ends_with(|c: char| c.is_alphanumeric() || c == '_') => at - 1,
            _ => at,
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if let Some((start, end)) = self.variable.take() {
            self.start = end;
            return Some(Piece::Variable(&self.text[start..end]));
        }
        if self.start == self.text.len() {
            return None;
        }
        let literal_start = self.start;
        let found = self.find_variable();
        let literal_end = found.map_or(self.text.len(), |(start, _)| start);
        self.variable = found;
        self.start = literal_end;
        if literal_start == literal_end {
            self.next()
        } else {
            Some(Piece::Literal(&self.text[literal_start..literal_end]))
        }
    }
}

/// Where a quotation ends, if it does.
fn find_close(text: &str, close: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        let after = &text[at + c.len_utf8()..];
        if c == close && !escaped && !(close == '\'' && after.starts_with(char::is_alphanumeric)) {
            return Some(at);
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// The end of the variable part that begins with the word at `start`, if it is one.
fn variable_end(text: &str, start: usize) -> Option<usize> {
    let mut end = variable_word_end(text, start)?;
    while let Some(joiner) = text.as_bytes().get(end)
        && JOINERS.contains(joiner)
        && let Some(next) = variable_word_end(text, end + 1)
    {
        end = next;
    }
    Some(end)
}

/// The end of the word at `start`, if it is variable: a UUID, a word with a digit, or eight hexadecimal digits and more.
fn variable_word_end(text: &str, start: usize) -> Option<usize> {
    const UUID: usize = 36;
    let is_boundary = |at: usize| !text[at..].starts_with(char::is_alphanumeric);
    if text.is_char_boundary(start + UUID)
        && is_uuid(&text.as_bytes()[start..start + UUID])
        && is_boundary(start + UUID)
    {
        return Some(start + UUID);
    }
    let end = word_end(text, start);
    let word = &text[start..end];
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    let is_term = || TERMS.iter().any(|term| term.eq_ignore_ascii_case(word));
    let is_hex = || word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    (has_digit && !is_term() || is_hex()).then_some(end)
}

fn word_end(text: &str, start: usize) -> usize {
    text[start..].find(|c: char| !c.is_alphanumeric()).map_or(text.len(), |length| start + length)
}

fn is_uuid(bytes: &[u8]) -> bool {
    let is_valid = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.iter().enumerate().all(is_valid)
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use proptest::prelude::*;

    use super::*;

    fn template(text: &str) -> String {
        Template::of(text).text
    }

    #[test]
    fn variable_parts_become_placeholders() {
        for (text, expected) in [
            ("", ""),
            ("the stock is low", "the stock is low"),
            ("order 17 not found", "order %s not found"),
            ("17", "%s"),
            ("retry in -2.5e-3 s, 1,500 left", "retry in %s s, %s left"),
            ("order ord_9s6XKzkNRiz8i3 is gone", "order ord_%s is gone"),
            ("user17: no such user", "%s: no such user"),
            ("id=550e8400-e29b-41d4-aaaa-cafecafecafe!", "id=%s!"),
            ("at 0x7ffe12ab34cd in deadbeefdeadbeef", "at %s in %s"),
            ("2026-11-27T14:20:50.123Z: late", "%s: late"),
            ("connect to 10.0.0.1:5432 refused (os error 111)", "connect to %s refused (os error %s)"),
            ("GET /orders/17/items?page=2", "GET /orders/%s/items?page=%s"),
            ("src/main.rs:10:5", "src/main.rs:%s"),
            (r#"sku "A-1" and 'B' and `c`"#, r#"sku "%s" and '%s' and `%s`"#),
            (r#"an "escaped \" quote" here"#, r#"an "%s" here"#),
            (r#""a""b" 'c'"#, r#""%s""%s" '%s'"#),
            ("„eins“ «deux» “three”", "„%s“ «%s» “%s”"),
            ("can't find it, don't retry", "can't find it, don't retry"),
            ("unclosed \"quote", "unclosed \"quote"),
            ("invalid utf8 for i32, expected u64", "invalid utf8 for i32, expected u64"),
            ("größe 3 überschritten", "größe %s überschritten"),
            ("100% of the disk", "%s%% of the disk"),
            ("% of 100%", "%% of %s%%"),
            ("50 % and % left", "%s %% and %% left"),
            ("% full", "% full"),
        ] {
            assert_eq!(template(text), expected, "{text}");
        }
    }

    #[test]
    fn parameters_are_the_variable_parts_in_order() {
        let found = Template::of("order 17 of 'ada' costs 2.50");
        assert_eq!(found.text, "order %s of '%s' costs %s");
        assert_eq!(found.parameters, ["17", "ada", "2.50"]);
    }

    fn hashed(text: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        hash(text, &mut hasher);
        hasher.finish()
    }

    #[test]
    fn texts_that_differ_in_an_id_have_one_hash() {
        assert_eq!(hashed("order 17 not found"), hashed("order 4711 not found"));
        assert_ne!(hashed("order 17 not found"), hashed("order 17 not paid"));
        assert_ne!(hashed("order 17"), hashed("order %s"));
    }

    #[test]
    fn unpaired_quotes_take_linear_time() {
        let began = std::time::Instant::now();
        template(&"„‘“ ".repeat(100_000));
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
    }

    proptest! {
        #[test]
        fn no_part_of_a_text_is_lost(text in "(?s)[ -~„“‘’é😀0-9'\"%\\\\]{0,60}") {
            let pieces = || Pieces::of(&text).map(|piece| match piece { Piece::Literal(text) | Piece::Variable(text) => text });
            prop_assert_eq!(pieces().collect::<String>(), &*text);
            let mut formatted = Template::of(&text).text;
            let parameters = Template::of(&text).parameters;
            if !parameters.is_empty() {
                formatted = formatted.replace("%%", "\0");
                for parameter in parameters {
                    formatted = formatted.replacen(PLACEHOLDER, &parameter.replace('%', "\0"), 1);
                }
                formatted = formatted.replace('\0', "%");
            }
            prop_assert_eq!(formatted, text);
        }
    }
}
