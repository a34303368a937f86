//! The rule for all text: only the secret itself is replaced, where it is written. Each rule finds the ranges of secrets
//! in a text; the text is searched as written and with its escapes decoded.

mod assignment;
mod credentials;
mod markup;
mod sentence;
mod table;
mod url;
mod value;

use std::ops::Range;

use crate::escapes::views;
use crate::placeholder::REDACTED;
use crate::rules::Rules;

pub(crate) use sentence::is_message;
pub(crate) use url::is_query_secret;

/// A text with its sensitive keys.
struct Searched<'a> {
    text: &'a str,
    /// Sensitive keys that occur in it, in order.
    keys: &'a [Range<usize>],
    /// Whether it may continue beyond its end.
    partial: bool,
}

/// The secrets of a text, in order and without overlaps. At the end of a `partial` text, the possible start of a secret
/// counts as one.
pub(crate) fn find(rules: &Rules, text: &str, partial: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for view in views(text) {
        let first = found.len();
        find_in_view(rules, &view.text, partial, &mut found);
        for range in &mut found[first..] {
            *range = view.source(range);
        }
    }
    merge(text, found)
}

fn find_in_view(rules: &Rules, text: &str, partial: bool, found: &mut Vec<Range<usize>>) {
    found.extend(rules.patterns.find(text, partial));
    let occurrences = rules.keys.occurrences(text);
    let searched = Searched { text, keys: &occurrences, partial };
    if !occurrences.is_empty() {
        assignment::find(rules, &searched, found);
        markup::find(rules, &searched, found);
        table::find(rules, &searched, found);
    }
    url::find(&searched, found);
    credentials::find(&searched, found);
}

/// Ranges in order, with those combined that overlap or touch. Text that is redacted already is none.
fn merge(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let is_redacted = |range: &Range<usize>| {
        // Another rule may end the placeholder at its bracket.
        !range.is_empty()
            && REDACTED.contains(&text[range.clone()])
            && text[..range.end + 1.min(text.len() - range.end)].contains(REDACTED)
    };
    found.retain(|range| !range.is_empty() && !is_redacted(range));
    found.sort_by_key(|range| range.start);
    found.dedup_by(|next, before| {
        let touches = next.start <= before.end;
        if touches {
            before.end = before.end.max(next.end);
        }
        touches
    });
    found
}
