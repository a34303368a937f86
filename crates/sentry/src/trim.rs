//! Trims events that are larger than Sentry accepts: first the longest texts, then the oldest breadcrumbs, then the rest. What was
//! trimmed is named in `truncated` of the event's extra data.

use std::collections::BTreeSet;

use sentry::protocol::Event;
use serde_json::{Map, Value};

/// Maximum size of an event in bytes; Sentry refuses a larger one with 413.
pub(crate) const MAX_EVENT_BYTES: usize = 1 << 20;
/// Texts of at most this size, in bytes of JSON, are cut only after the breadcrumbs.
const LONG_TEXT: usize = 1024;
/// Texts of at most this size are never cut: ids, names, times.
const SHORT_TEXT: usize = 128;
/// Space for the list of what was trimmed.
const LIST_BYTES: usize = 1024;
/// At the end of each cut text.
pub(crate) const MARK: char = '…';

/// Trims an event to [`MAX_EVENT_BYTES`], if it is larger.
pub(crate) fn fit(event: Event<'static>) -> Event<'static> {
    trim(&event, MAX_EVENT_BYTES).unwrap_or(event)
}

/// The trimmed event; `None` if the event is not larger than `max_bytes`.
fn trim(event: &Event<'static>, max_bytes: usize) -> Option<Event<'static>> {
    let mut json = serde_json::to_value(event).ok()?;
    if size(&json) <= max_bytes {
        return None;
    }
    let mut trimmer = Trimmer { max_bytes: max_bytes.saturating_sub(LIST_BYTES), trimmed: BTreeSet::new() };
    trimmer.cut_texts(&mut json, LONG_TEXT);
    trimmer.drop_breadcrumbs(&mut json);
    trimmer.cut_texts(&mut json, SHORT_TEXT);
    for key in ["extra", "contexts", "tags"] {
        trimmer.drop_members(&mut json, key);
    }
    let list = Value::from_iter(trimmer.trimmed);
    json.as_object_mut()?.entry("extra").or_insert_with(|| Map::new().into())["truncated"] = list;
    serde_json::from_value(json).ok()
}

struct Trimmer {
    max_bytes: usize,
    /// The keys of the event in which something is missing.
    trimmed: BTreeSet<String>,
}

impl Trimmer {
    fn excess(&self, json: &Value) -> usize {
        size(json).saturating_sub(self.max_bytes)
    }

    /// Cuts the longest texts to one size, of at least `min_bytes`, so that the event fits if possible.
    fn cut_texts(&mut self, json: &mut Value, min_bytes: usize) {
        let excess = self.excess(json);
        if excess == 0 {
            return;
        }
        let mut sizes = Vec::new();
        collect_texts(json, &mut sizes);
        let limit = common_limit(sizes, excess).max(min_bytes);
        for (key, value) in json.as_object_mut().into_iter().flatten() {
            if cut_texts(value, limit) {
                self.trimmed.insert(key.clone());
            }
        }
    }

    fn drop_breadcrumbs(&mut self, json: &mut Value) {
        let mut excess = self.excess(json);
        let Some(crumbs) = json.pointer_mut("/breadcrumbs/values").and_then(Value::as_array_mut) else { return };
        let mut count = 0;
        while let Some(oldest) = crumbs.get(count).filter(|_| excess > 0) {
            excess = excess.saturating_sub(size(oldest) + 1);
            count += 1;
        }
        if count > 0 {
            crumbs.drain(..count);
            self.trimmed.insert("breadcrumbs".into());
        }
    }

    /// Drops the largest members of an object.
    fn drop_members(&mut self, json: &mut Value, key: &str) {
        let mut excess = self.excess(json);
        let Some(members) = json.get_mut(key).and_then(Value::as_object_mut) else { return };
        while excess > 0
            && let Some((name, bytes)) =
                members.iter().map(|(name, value)| (name.clone(), size(value))).max_by_key(|(_, bytes)| *bytes)
        {
            members.remove(&name);
            excess = excess.saturating_sub(bytes + name.len() + 4);
            self.trimmed.insert(key.to_owned());
        }
    }
}

/// The size of a value as JSON.
fn size(json: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, json).map_or(0, |()| counter.0)
}

/// The bytes of a character in a JSON text.
fn escaped_bytes(char: char) -> usize {
    match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => char.len_utf8(),
    }
}

fn escaped_len(text: &str) -> usize {
    text.chars().map(escaped_bytes).sum()
}

fn collect_texts(json: &Value, sizes: &mut Vec<usize>) {
    match json {
        Value::String(text) => sizes.push(escaped_len(text)),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, sizes)),
        Value::Object(members) => members.values().for_each(|value| collect_texts(value, sizes)),
        _ => {}
    }
}

/// The size to which texts must be cut, the longest first, to remove `excess` bytes; zero if that is impossible.
fn common_limit(mut sizes: Vec<usize>, excess: usize) -> usize {
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0;
    for (index, size) in sizes.iter().enumerate() {
        sum += size;
        let next = sizes.get(index + 1).copied().unwrap_or(0);
        // What is removed when the longest ones are cut to the size of the next one.
        if sum - next * (index + 1) >= excess {
            return (sum - excess) / (index + 1);
        }
    }
    0
}

/// Cuts the texts in a value that are longer than `limit`. Returns whether there were any.
fn cut_texts(json: &mut Value, limit: usize) -> bool {
    match json {
        Value::String(text) => cut(text, limit),
        Value::Array(items) => items.iter_mut().fold(false, |any, item| cut_texts(item, limit) | any),
        Value::Object(members) => members.values_mut().fold(false, |any, value| cut_texts(value, limit) | any),
        _ => false,
    }
}

fn cut(text: &mut String, limit: usize) -> bool {
    let mut bytes = 0;
    let mut end = 0;
    for (at, char) in text.char_indices() {
        if bytes + MARK.len_utf8() <= limit {
            end = at;
        }
        bytes += escaped_bytes(char);
        if bytes > limit {
            text.truncate(end);
            text.push(MARK);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentry::protocol::{Breadcrumb, Exception};
    use serde_json::json;

    fn bytes(event: &Event<'static>) -> usize {
        size(&serde_json::to_value(event).expect("an event is JSON"))
    }

    fn truncated<'a>(event: &'a Event<'static>) -> &'a Value {
        &event.extra["truncated"]
    }

    fn messages<'a>(event: &'a Event<'static>) -> Vec<&'a str> {
        event.breadcrumbs.iter().filter_map(|crumb| crumb.message.as_deref()).collect()
    }

    fn crumb(message: String) -> Breadcrumb {
        Breadcrumb { message: Some(message), ..Default::default() }
    }

    #[test]
    fn an_event_that_fits_is_unchanged() {
        let mut event = Event { message: Some(String::new()), ..Default::default() };
        let empty = bytes(&event);
        event.message = Some("x".repeat(MAX_EVENT_BYTES - empty));
        assert_eq!(bytes(&event), MAX_EVENT_BYTES);
        assert_eq!(fit(event.clone()), event);
        event.message = Some("x".repeat(MAX_EVENT_BYTES - empty + 1));
        let trimmed = fit(event);
        assert!(bytes(&trimmed) <= MAX_EVENT_BYTES && bytes(&trimmed) > MAX_EVENT_BYTES - 2 * LIST_BYTES);
        assert!(trimmed.message.as_ref().is_some_and(|message| message.ends_with("x…")));
        assert_eq!(*truncated(&trimmed), json!(["message"]));
    }

    #[test]
    fn the_longest_texts_are_cut_first() {
        let mut event = Event { message: Some("m".repeat(20_000)), ..Default::default() };
        event.exception.values.push(Exception {
            ty: "Error".into(),
            value: Some("\u{1}".repeat(5000)),
            ..Default::default()
        });
        event.extra.insert("note".into(), json!({"nested": ["n".repeat(3000)]}));
        event.breadcrumbs.values.push(crumb("c".repeat(3000)));
        let trimmed = trim(&event, 20_000).expect("it is too large");
        assert!(bytes(&trimmed) <= 20_000 && bytes(&trimmed) > 18_000, "{}", bytes(&trimmed));
        assert_eq!(*truncated(&trimmed), json!(["exception", "message"]));
        let message = trimmed.message.as_deref().unwrap_or_default();
        let value = trimmed.exception.values[0].value.as_deref().unwrap_or_default();
        assert!(escaped_len(message).abs_diff(escaped_len(value)) < 8, "both are cut to one size, with escapes");
        assert_eq!((messages(&trimmed), &trimmed.extra["note"]), (messages(&event), &event.extra["note"]));
    }

    #[test]
    fn the_oldest_breadcrumbs_are_dropped_next() {
        let mut event = Event { message: Some("short".into()), ..Default::default() };
        event.breadcrumbs.values.extend((0..100).map(|n| crumb(format!("{n} {}", "x".repeat(500)))));
        let trimmed = trim(&event, 20_000).expect("it is too large");
        let left = messages(&trimmed);
        assert!(left.len() > 20 && left.len() < 40, "{}", left.len());
        assert_eq!(left[..], messages(&event)[100 - left.len()..], "the newest remain, complete");
        assert_eq!(trimmed.extra["truncated"], json!(["breadcrumbs"]));
    }

    #[test]
    fn many_small_values_are_dropped_last() {
        let mut event = Event { message: Some("m".repeat(500)), ..Default::default() };
        event.extra.extend((0..1000).map(|n| (format!("key {n}"), json!("y".repeat(n % 100)))));
        let trimmed = trim(&event, 20_000).expect("it is too large");
        assert!(bytes(&trimmed) <= 20_000);
        assert_eq!(*truncated(&trimmed), json!(["extra", "message"]));
        assert_eq!(trimmed.message.map(|message| message.len()), Some(SHORT_TEXT));
        assert_eq!(trimmed.event_id, event.event_id);
    }
}
