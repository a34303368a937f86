//! Texts that the prefilter dismisses contain nothing to redact: a redactor without it returns the same result.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use crate::content::is_utf16;
use crate::keys::Keys;
use crate::patterns::tokens::prefixes;
use crate::prefilter::Prefilter;
use crate::properties::config;
use crate::rules::Rules;
use crate::{Patterns, Redactor, Syntax};

/// Keys of all kinds in addition to the built-in ones, more than there are bits.
fn extra_keys() -> Vec<String> {
    let named = ["id", "x", "2fa", "ключ", "straße", "ab_é", "fooBar", "n", "api", "card 2"].map(str::to_owned);
    named.into_iter().chain((0..80).map(|n| format!("k{n}v"))).chain((0..80).map(|n| format!("zone{n}key"))).collect()
}

fn redactors() -> [Redactor; 2] {
    [Redactor::default(), Redactor::new(&extra_keys(), Patterns::default())]
}

/// Redactors, each with its equivalent without a prefilter.
static PAIRS: LazyLock<Vec<(Redactor, Redactor)>> = LazyLock::new(|| {
    let unfiltered = redactors().map(|redactor| Redactor {
        rules: Rules { prefilter: Prefilter::match_all(), ..redactor.rules },
    });
    redactors().into_iter().zip(unfiltered).collect()
});

fn may_match(text: &str) -> bool {
    Redactor::default().rules.may_match(text.as_bytes(), false)
}

#[test]
fn words_that_only_contain_a_key_are_dismissed() {
    for text in [
        r#"{"shipping":1,"opinion":"of the author","description":"pinned","discard":"secretary"}"#,
        r#"{"total_cents":1,"created_at":"","tokenized":2,"passed":true,"compass":0,"accepted":1}"#,
        "OPINION Pinned PINS pins1x, content of a contract",
        r#"{"account":1,"card":"visa","access":"all","tax":2,"session":{"open":1},"private":[],"api":"v1"}"#,
        "accounts number, account holder, tax identifier, card 2 numbers",
        "a private room, BEGIN private lessons",
        "100 %, 5 % of it, %zz",
        "EYJ and eyj",
        "tokenizer TOKENIZER token1s",
        "™ and ś",
    ] {
        assert!(!may_match(text), "{text}");
    }
}

#[test]
fn numbers_that_are_not_cards_are_dismissed() {
    for text in [
        "2026-11-22T18:49:06.388200Z",
        r#"{"id":"01a20497-2e54-7036-97b5-a1c884441021","unit_price_cents":2500}"#,
        "4111 1111 1111 1112",
        "411111111111111 1",
        "41111111111111111111",
        "9111111111111111",
        "1732305600000, 3732305600",
    ] {
        assert!(!may_match(text), "{text}");
    }
}

#[test]
fn possible_keys_and_secrets_are_candidates() {
    for text in [
        "pin",
        "PIN",
        "userPin",
        "userPINcode",
        "xPin1",
        "ABpin",
        "password2",
        "a\\npin: 1",
        "a\\\\tpin",
        "a\\rpin",
        "a\\bpin",
        "a\\fsecret",
        "épin",
        "piné",
        "pin\u{17f}",
        "to\u{212a}en",
        "pa\u{17f}\u{17f}word",
        "p\\u0069n",
        "p\\x69n",
        "p%69n",
        "api-key",
        "apiKey",
        "api2 : key",
        "api\\tkey",
        "api\u{2013}key",
        "API_",
        "card number",
        "account [number]",
        "Bearer x",
        "eyJhbGciOiJIUzI1NiJ9.x",
        "xeyJ.x",
        "BEGIN 2private key",
        "4111 1111 1111 1111",
        "x4111111111111111",
        "0.4111111111111111",
    ] {
        assert!(may_match(text), "{text}");
        assert!(may_match(&format!("{}{text}", "- ".repeat(20))), "{text} after others");
        assert!(may_match(&format!("{text}{}", " -".repeat(20))), "{text} before others");
    }
    assert!(may_match("5 %") && may_match("%7"));
    for (text, partial) in [("4111111", true), ("4111111", false), ("4111 1111 ", true), ("4111111\\", true)] {
        assert_eq!(Redactor::default().rules.may_match(text.as_bytes(), partial), partial, "{text}");
    }
}

#[test]
fn every_key_is_a_candidate_at_any_position() {
    for redactor in redactors() {
        for (entry, _) in redactor.rules.keys.entries() {
            let key = entry.join("_");
            for key in [key.clone(), key.to_ascii_uppercase(), entry.join("\": \"")] {
                for before in 0..20 {
                    let text = format!("{}{key}", "-".repeat(before));
                    assert!(redactor.rules.may_match(text.as_bytes(), false), "{text}");
                    assert!(redactor.rules.may_match(format!("{text}=").as_bytes(), true), "{text}=");
                    let found = redactor.rules.prefilter.first_candidate(text.as_bytes(), before, text.len(), false);
                    assert!(found.is_some_and(|found| (before..text.len()).contains(&found)), "{text}");
                }
            }
        }
    }
}

#[test]
fn escapes_do_not_separate_card_groups() {
    for escape in ["\\b", "\\f", "\\r", "\\n", "\\t"] {
        for text in [format!("4111-1111-0{escape}"), ["4111", "1111", "1111", "1111"].join(escape)] {
            for (filtered, unfiltered) in PAIRS.iter() {
                let read =
                    |redactor: &Redactor| redactor.content(text.as_bytes(), Syntax::Text, 100, false).into_owned();
                assert_eq!(read(unfiltered), read(filtered), "{text}");
            }
        }
    }
}

#[test]
fn every_token_is_a_candidate_at_any_position() {
    let redactor = Redactor::default();
    let may_match = |text: &str| redactor.rules.may_match(text.as_bytes(), false);
    let rest = "aA0".repeat(30);
    let tokens = prefixes().map(|prefix| format!("{prefix}{rest}"));
    let twilio = format!("SK{}", "0f".repeat(16));
    let others = [&twilio, concat!("123456789:", "AAF0aZ"), "\"kty\"", "123-45-6789"];
    for token in tokens.filter(|token| !token.starts_with("SKa")).chain(others.map(str::to_owned)) {
        for before in 0..40 {
            let text = format!("{}{token}", " ".repeat(before));
            assert!(may_match(&text), "{text}");
            assert!(may_match(&format!("{text}, ")), "{text}");
            let json = format!("{}\\n{token}", " ".repeat(before));
            assert!(may_match(&json) || token.starts_with(['1', '"']), "{json}");
        }
    }
    for (text, partial) in [("123-45", true), ("123-45", false), ("123-45-", true), ("2026-11-22T18", false)] {
        assert_eq!(Redactor::default().rules.may_match(text.as_bytes(), partial), partial, "{text}");
    }
}

/// The text with the letters in upper case whose bits are set.
fn cased(text: &str, bits: u32) -> String {
    let case = |(at, c): (usize, char)| if bits >> (at % 32) & 1 == 1 { c.to_ascii_uppercase() } else { c };
    text.chars().enumerate().map(case).collect()
}

/// A key, a part of one, a secret, or a separator.
fn piece() -> impl Strategy<Value = String> {
    let entries: Vec<String> =
        Keys::new(&extra_keys()[..12], &[]).entries().map(|(words, _)| words.join("_")).collect();
    let words: Vec<String> = entries.iter().flat_map(|entry| entry.split('_')).map(str::to_owned).collect();
    let case = prop_oneof![3 => Just(0), 1 => Just(u32::MAX), 1 => Just(1), 1 => any::<u32>()];
    let keys = (prop::sample::select([entries, words].concat()), case);
    prop_oneof![
        4 => keys.prop_map(|(key, bits)| cased(&key, bits)),
        1 => prop::sample::select(vec![
            "Bearer", "Bearer abc", "eyJa.b", "eyJ", "private key", "BEGIN PRIVATE KEY", "BEGIN RSA ", "4111 1111 1111 1111",
            "4111", "1111", "-4111-1111-", "378282246310005", "2026-11-22", "388200", ".5", "123-45-6789", "123-45-",
            concat!("gh", "p_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "ghp_", "sk-", concat!("xo", "xb-0123456789012345678"),
            "12345678:AA", "\"kty\":1,\"d\":\"x\"", "sig=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ])
        .prop_map(str::to_owned),
        4 => prop::sample::select(vec![
            "_", "-", " ", ".", ":", "=", "\"", "'", "\\n", "\\t", "\\b", "\\\\n", "\n", "\\", "/", "%", "%7", "%6e", "\\u006e",
            "\\x6e", "+", "&", ";", "{", "[", "}", ">", "\t", "\u{17f}", "\u{212a}", "é", "É", "İ", "€", "™", "\u{0}",
        ])
        .prop_map(str::to_owned),
        2 => "[a-zA-Z0-9]{1,2}",
        1 => Just("s".to_owned()),
        1 => Just("ing".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 1..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn scalar_and_vectorized_searches_agree(
        texts in prop::collection::vec(text(), 1..40),
        which in 0..2_usize,
        [from, to] in any::<[prop::sample::Index; 2]>(),
        partial in any::<bool>(),
    ) {
        let prefilter = &PAIRS[which].0.rules.prefilter;
        let text = texts.concat().into_bytes();
        let from = from.index(text.len() + 1);
        let to = from + to.index(text.len() + 1 - from);
        // Either may find a candidate that starts after the range.
        let within = |found: Option<usize>| found.filter(|found| *found < to);
        let scalar = prefilter.first_scalar(&text, from, text.len().min(to + 3), partial);
        prop_assert_eq!(within(prefilter.first_candidate(&text, from, to, partial)), within(scalar));
    }

    #[test]
    fn the_prefilter_does_not_change_results_for_text(text in text(), which in 0..2_usize, partial in any::<bool>()) {
        let (filtered, unfiltered) = &PAIRS[which];
        let read = |redactor: &Redactor, syntax| redactor.content(text.as_bytes(), syntax, usize::MAX, !partial).into_owned();
        let is_clean = !filtered.rules.may_match(text.as_bytes(), partial) && !is_utf16(text.as_bytes());
        // Of a truncated text that starts like JSON, the prefilter shows all and a full search only the parsable part.
        let may_be_part = is_clean && text.trim_start().starts_with(['{', '[']);
        for syntax in [Syntax::Form, Syntax::Text] {
            let (with_filter, without_filter) = (read(filtered, syntax), read(unfiltered, syntax));
            let is_part = may_be_part && text.starts_with(&*without_filter.text);
            prop_assert!(is_part || with_filter == without_filter, "{with_filter:?}, {without_filter:?}");
        }
        prop_assert_eq!(filtered.query(&text), unfiltered.query(&text));
        prop_assert_eq!(filtered.path(&text), unfiltered.path(&text));
        prop_assert_eq!(filtered.header(&text), unfiltered.header(&text));
        if is_clean {
            prop_assert_eq!(read(filtered, Syntax::Text).text, text.as_str());
            prop_assert_eq!(unfiltered.header(&text), text.as_str());
        }
    }

    #[test]
    fn the_prefilter_does_not_change_results_for_json(
        texts in prop::collection::vec(text(), 1..4),
        which in 0..2_usize,
        slashes in any::<bool>(),
        part in any::<prop::sample::Index>(),
    ) {
        let (filtered, unfiltered) = &PAIRS[which];
        let mut data = json!({"a": texts, &texts[0]: {&texts[0]: 4111, "b": texts[0]}});
        let document = if slashes { data.to_string().replace('/', "\\/") } else { data.to_string() };
        let read = |redactor: &Redactor, limit| redactor.content(document.as_bytes(), Syntax::Json, limit, true).into_owned();
        prop_assert_eq!(read(filtered, usize::MAX), read(unfiltered, usize::MAX));
        if !filtered.rules.may_match(document.as_bytes(), false) {
            prop_assert_eq!(read(unfiltered, usize::MAX).text, document.as_str());
        }
        let cut = part.index(document.len() + 1);
        let part = |redactor: &Redactor| redactor.content(&document.as_bytes()[..cut], Syntax::Json, usize::MAX, false).into_owned();
        let is_clean = !filtered.rules.may_match(&document.as_bytes()[..cut], true);
        // Of a clean document the prefilter shows all, and a full search only the parsable part.
        if !is_clean {
            prop_assert_eq!(part(filtered), part(unfiltered));
        } else {
            prop_assert!(document.starts_with(&*part(unfiltered).text));
        }
        let mut expected = data.clone();
        filtered.data(&mut data);
        unfiltered.data(&mut expected);
        prop_assert_eq!(data, expected);
    }
}
