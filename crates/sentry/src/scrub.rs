//! Scrubbing of outgoing events and transactions: only allowed headers are retained, and the query and all data are redacted.

use cyanotype_redact::{REDACTED, Redactor};
use sentry::protocol::{Event, Request, Transaction};

pub(crate) fn event(redactor: &Redactor, mut event: Event<'static>) -> Event<'static> {
    if let Some(request) = &mut event.request {
        scrub_request(redactor, request);
    }
    for (key, value) in &mut event.extra {
        scrub_value(redactor, key, value);
    }
    let logged = event.logentry.iter_mut().map(|entry| &mut entry.message);
    let raised = event.exception.values.iter_mut().filter_map(|exception| exception.value.as_mut());
    for text in event.message.iter_mut().chain(logged).chain(raised) {
        redactor.text_in_place(text);
    }
    for crumb in &mut event.breadcrumbs.values {
        if let Some(message) = &mut crumb.message {
            redactor.text_in_place(message);
        }
        for (key, value) in &mut crumb.data {
            scrub_value(redactor, key, value);
        }
    }
    event.server_name = None;
    event
}

/// The SDK has no `before_send` hook for transactions, so the transport calls this.
pub(crate) fn transaction(redactor: &Redactor, transaction: &mut Transaction<'static>) {
    if let Some(request) = &mut transaction.request {
        scrub_request(redactor, request);
    }
    for (key, value) in &mut transaction.extra {
        scrub_value(redactor, key, value);
    }
    for (key, value) in transaction.spans.iter_mut().flat_map(|span| &mut span.data) {
        scrub_value(redactor, key, value);
    }
    transaction.server_name = None;
}

fn scrub_value(redactor: &Redactor, key: &str, value: &mut serde_json::Value) {
    let mut one = serde_json::Map::from_iter([(key.to_owned(), value.take())]);
    redactor.map(&mut one);
    *value = one.remove(key).unwrap_or_default();
}

fn scrub_request(redactor: &Redactor, request: &mut Request) {
    request.headers.retain(|name, _| cyanotype_redact::is_header_allowed(name));
    for value in request.headers.values_mut() {
        *value = redactor.header(value).into_owned();
    }
    request.cookies = None;
    request.data = None;
    if let Some(url) = &mut request.url {
        let query = url.query().map(|query| redactor.query(query));
        url.set_query(query.as_deref());
        let path = redactor.path(url.path()).into_owned();
        url.set_path(&path);
        // A password in the URL must not be sent.
        let _ = url.set_password(None);
        url.set_fragment(None);
    }
    if let Some(query) = &mut request.query_string {
        *query = redactor.query(query);
    }
    for (key, value) in &mut request.env {
        if !matches!(key.as_str(), "SERVER_NAME" | "SERVER_PORT") {
            *value = REDACTED.to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_scrubbed() {
        let request = Request { url: "https://shop.example/?token=t0p".parse().ok(), ..Default::default() };
        let mut sent = Transaction { request: Some(request), ..Default::default() };
        sent.extra.insert("secret".into(), "t0p".into());
        transaction(&Redactor::default(), &mut sent);
        let sent = serde_json::to_string(&sent).expect("a transaction is JSON");
        assert!(!sent.contains("t0p") && sent.contains("shop.example"), "{sent}");
    }

    #[test]
    fn sensitive_parts_of_a_request_are_removed() {
        let mut request = Request {
            url: "https://shop.example/orders?status=paid&token=t0p".parse().ok(),
            cookies: Some("sid=t0p".into()),
            data: Some("password=t0p".into()),
            query_string: Some("api_key=t0p".into()),
            ..Default::default()
        };
        for (name, value) in [("Authorization", "Bearer t0p"), ("X-Auth", "t0p"), ("User-Agent", "curl")] {
            request.headers.insert(name.into(), value.into());
        }
        let mut before = Event { request: Some(request), ..Default::default() };
        before.extra.insert("secret".into(), "t0p".into());
        let after = serde_json::to_string(&event(&Redactor::default(), before)).expect("an event is JSON");
        assert!(!after.contains("t0p"), "{after}");
        assert!(after.contains("status=paid") && after.contains("curl"), "{after}");
    }
}
