//! How Sentry groups events into issues. [docs/CONTRACT.md](../../../docs/CONTRACT.md) has the rules.

use std::borrow::Cow;

use cyanotype_telemetry::record::Event;
use cyanotype_telemetry::template::Template;
use sentry::protocol::{Event as SentryEvent, LogEntry};

/// The part of a fingerprint for which a server inserts its own grouping: in Sentry by the stack, or else by the message.
const DEFAULT: &str = "{{ default }}";

/// Maximum length of the message in a fingerprint, in bytes.
const MAX_FINGERPRINT_BYTES: usize = 512;
/// Sentry's maximum length of a log entry's message, in bytes.
const MAX_TEMPLATE_BYTES: usize = 8192;

/// A fingerprint, which replaces Sentry's default.
pub(crate) struct Fingerprint(Vec<Cow<'static, str>>);

/// The fingerprint of an event. A failure is grouped by type, place and template of its message. Where the message is constant,
/// the server's own grouping by stack, or by type and message, does as much or more, and only lacks the place. Other events have a
/// [`log_entry`].
pub(crate) fn fingerprint(event: &Event) -> Fingerprint {
    let Some(failure) = &event.failure else { return Fingerprint(vec![DEFAULT.into()]) };
    let first = failure.first();
    let template = Template::of(cut(&first.message, MAX_FINGERPRINT_BYTES));
    let place = place(event).into();
    Fingerprint(match template.parameters.is_empty() {
        true => vec![DEFAULT.into(), place],
        false => vec![first.type_name.clone().into(), place, template.text.into()],
    })
}

impl Fingerprint {
    /// Sets the fingerprint of an event, unless code has set one.
    pub(crate) fn add_to(&self, mut event: SentryEvent<'static>) -> SentryEvent<'static> {
        if matches!(event.fingerprint.as_ref(), [part] if [DEFAULT, "{{default}}"].contains(&part.as_ref())) {
            event.fingerprint = self.0.clone().into();
        }
        event
    }
}

/// The module that reported the failure; of one that no code caught, the route. Not a function of the stack: their names differ
/// between builds, and under load a failure can be without a stack.
fn place(event: &Event) -> String {
    let route = event.request.as_ref().filter(|_| event.unhandled).and_then(|request| request.transaction());
    route.unwrap_or_else(|| event.target.clone())
}

/// A message as template and parameters. Sentry groups by the template.
pub(crate) fn log_entry(message: &str) -> LogEntry {
    let template = Template::of(cut(message, MAX_TEMPLATE_BYTES));
    LogEntry { message: template.text, params: template.parameters.into_iter().map(Into::into).collect() }
}

fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cyanotype_telemetry::failure::Failure;
    use cyanotype_telemetry::request::{CallerTrace, RequestIdentity, RequestParts};
    use cyanotype_telemetry::{EventId, Level};
    use serde_json::json;

    use super::*;

    fn event(message: &str) -> Event {
        Event {
            id: EventId::random(),
            at: jiff::Timestamp::UNIX_EPOCH,
            level: Level::Error,
            target: "shop::stock".into(),
            message: None,
            failure: Some(Failure::from_message("Missing", message.to_owned())),
            unhandled: false,
            location: None,
            spans: None,
            data: Default::default(),
            scope: None,
            breadcrumbs: Vec::new(),
            request: None,
        }
    }

    fn of(event: &Event, chosen: &[&'static str]) -> Vec<String> {
        let chosen: Vec<_> = chosen.iter().copied().map(Cow::from).collect();
        let sent = fingerprint(event).add_to(SentryEvent { fingerprint: chosen.into(), ..Default::default() });
        sent.fingerprint.iter().map(|part| part.clone().into_owned()).collect()
    }

    #[test]
    fn a_failure_with_a_variable_message_has_type_place_and_template() {
        assert_eq!(of(&event("sku 17"), &[DEFAULT]), ["Missing", "shop::stock", "sku %s"]);
        assert_eq!(of(&event("sku 17"), &[DEFAULT]), of(&event("sku 18"), &["{{default}}"]));
    }

    #[test]
    fn the_server_groups_constant_messages_in_one_place() {
        assert_eq!(of(&event("sold out"), &[DEFAULT]), [DEFAULT, "shop::stock"]);
    }

    #[test]
    fn the_place_of_an_uncaught_failure_is_its_route() {
        let request = RequestIdentity::new(None, CallerTrace::default(), RequestParts::default());
        request.set_route(Some("/stock/{sku}".into()));
        let caught = Event { request: Some(Arc::new(request)), ..event("sku 17") };
        assert_eq!(of(&caught, &[DEFAULT])[1], "shop::stock");
        assert_eq!(of(&Event { unhandled: true, ..caught }, &[DEFAULT])[1], "GET /stock/{sku}");
    }

    #[test]
    fn the_callers_fingerprint_takes_precedence() {
        assert_eq!(of(&event("sku 17"), &["stock"]), ["stock"]);
        assert_eq!(of(&event("sku 17"), &["eu", DEFAULT]), ["eu", DEFAULT]);
    }

    #[test]
    fn a_message_is_grouped_by_its_template() {
        let message = Event { failure: None, message: Some("sku 17".into()), ..event("") };
        assert_eq!(of(&message, &[DEFAULT]), [DEFAULT]);
        let entry = json!(log_entry("sku 17 of \"ada\""));
        assert_eq!(entry, json!({"message": "sku %s of \"%s\"", "params": ["17", "ada"]}));
        assert_eq!(json!(log_entry("100 %")), json!({"message": "%s %%", "params": ["100"]}));
        assert_eq!(log_entry(&"ä".repeat(8192)).message.len(), MAX_TEMPLATE_BYTES);
    }
}
