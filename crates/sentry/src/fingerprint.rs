//! Fingerprints: by which Sentry groups events.

use cyanotype_telemetry::record::Event;
use cyanotype_telemetry::request::RequestIdentity;
use cyanotype_telemetry::template::Template;

/// The fingerprint of a failure without a stack, which Sentry would group by its message: type, route and template of the message.
/// `None` for other events.
pub(crate) fn of(event: &Event) -> Option<Vec<String>> {
    let failure = event.failure.as_ref().filter(|failure| failure.stack.is_none())?;
    let route = event.request.as_deref().and_then(RequestIdentity::transaction);
    let first = failure.first();
    let template = Template::of(&first.message).text;
    Some(vec![first.type_name.clone(), route.unwrap_or_else(|| event.target.clone()), template])
}
