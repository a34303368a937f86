//! Shortens a record to the maximum length of its line: what is worth least is cut first.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::entries::Entry;
use super::fit::{fit, fit_stack};

/// The key that lists what was cut.
pub(super) const TRUNCATED: &str = "truncated";

/// Shorter values are not cut: the key in `truncated` would take as many bytes.
const MIN_CUT_BYTES: usize = 32;
/// Longer keys, which only data of the service's own records could have, are not listed.
const MAX_LISTED_BYTES: usize = 64;

/// What is cut, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    RequestBody,
    ResponseBody,
    Stack,
    /// Fields, data, and the keys of service records.
    Detail,
    Exception,
    Message,
    /// Paths, headers and names.
    Other,
}

const ORDER: [Part; 7] =
    [Part::RequestBody, Part::ResponseBody, Part::Stack, Part::Detail, Part::Exception, Part::Message, Part::Other];

/// The part that a key belongs to; `None` if it is never cut.
fn part(key: &str) -> Option<Part> {
    Some(match key {
        "timestamp" | "level" | "kind" | "request_id" | "trace_id" | "blueprint" | "sentry.event_id" | "event_id"
        | "part" | "parts" | "event_part" | TRUNCATED => return None,
        "http.request.body.content" => Part::RequestBody,
        "http.response.body.content" => Part::ResponseBody,
        "exception.stacktrace" => Part::Stack,
        "exception.message" | "exception.chain" => Part::Exception,
        "message" => Part::Message,
        "target"
        | "span"
        | "outcome"
        | "exception.type"
        | "exception.location"
        | "thread"
        | "user_agent.original"
        | "client.address" => Part::Other,
        _ if key.starts_with("http.") || key.starts_with("url.") => Part::Other,
        _ => Part::Detail,
    })
}

/// Shortens the values until `excess` returns 0. With `ascii`, the values remain ASCII.
pub(super) fn shorten(entries: &mut Vec<Entry<'_>>, ascii: bool, excess: impl Fn(&[Entry<'_>]) -> usize) {
    for cut in ORDER {
        let is_cut = |at: &usize| part(&entries[*at].key) == Some(cut) && is_worth_cutting(&entries[*at].value);
        let mut members: Vec<usize> = (0..entries.len()).filter(is_cut).collect();
        members.sort_by_key(|at| Reverse(entries[*at].value.len()));
        for at in members {
            if excess(entries) == 0 {
                return;
            }
            mark(entries, at);
            let value = &entries[at].value;
            let max = value.len().saturating_sub(excess(entries)).max(2);
            let short = if cut == Part::Stack { fit_stack(value, max) } else { fit(value, max, ascii) };
            entries[at].value = short.into();
        }
    }
    // Only a service record with many keys or long ones gets here.
    while excess(entries) > 0 {
        let size = |at: &usize| entries[*at].key.len() + entries[*at].value.len();
        let details = (0..entries.len()).filter(|at| part(&entries[*at].key) == Some(Part::Detail));
        let Some(largest) = details.max_by_key(size) else { return };
        entries.remove(largest);
    }
}

fn is_worth_cutting(value: &str) -> bool {
    value.len() >= MIN_CUT_BYTES && value.starts_with(['"', '[', '{'])
}

/// Marks a value as cut: a body's content in its own key, others in `truncated`.
fn mark(entries: &mut Vec<Entry<'_>>, at: usize) {
    let key = entries[at].key.clone().into_owned();
    if let Some(body) = key.strip_suffix(".content") {
        let flag = format!("{body}.truncated");
        if let Some(flag) = entries.iter_mut().find(|entry| entry.key == flag) {
            flag.value = Cow::Borrowed("true");
            return;
        }
    }
    if key.len() > MAX_LISTED_BYTES {
        return;
    }
    match entries.iter_mut().find(|entry| entry.key == TRUNCATED) {
        Some(listed) => {
            let before = listed.value.trim_end_matches(']');
            // A client's text may have been cut before.
            if !before.contains(&format!("\"{key}\"")) {
                listed.value = format!("{before},\"{key}\"]").into();
            }
        }
        None => entries.push(Entry { key: TRUNCATED.into(), value: format!("[\"{key}\"]").into() }),
    }
}
