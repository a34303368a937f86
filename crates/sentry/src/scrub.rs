//! Scrubbing of outgoing events and transactions, also of those that code makes itself: only allowed headers are retained, the
//! query, texts and all data are redacted, and the texts that a client chose are cut.

use std::net::IpAddr;

use cyanotype_redact::{REDACTED, Redactor, is_opaque_id};
use cyanotype_telemetry::Settings;
use cyanotype_telemetry::settings::ClientTextLimits;
use sentry::protocol::{
    Breadcrumb, Context, Event, Exception, IpAddress, Map, Request, Stacktrace, Transaction, User, Value,
};

/// Scrubs what is sent.
pub(crate) struct Scrubber {
    redactor: Redactor,
    limits: ClientTextLimits,
    max_breadcrumbs: usize,
    /// The only server name that is sent; the SDK would send the host name where it is to be omitted.
    server_name: Option<String>,
    dist: Option<String>,
}

impl Scrubber {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            redactor: settings.log.redactor(),
            limits: settings.log.lines.client_text_limits(),
            max_breadcrumbs: settings.sentry.max_breadcrumbs,
            server_name: settings.sentry.server_name(),
            dist: settings.sentry.dist.clone(),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            redactor: Redactor::default(),
            limits: ClientTextLimits { path: 24, header: 8 },
            max_breadcrumbs: 4,
            server_name: None,
            dist: None,
        }
    }

    pub(crate) fn event(&self, event: &mut Event<'static>) {
        if let Some(request) = &mut event.request {
            self.scrub_request(request);
        }
        self.scrub_values(&mut event.extra);
        self.scrub_tags(&mut event.tags);
        self.scrub_tags(&mut event.modules);
        self.scrub_contexts(&mut event.contexts);
        if let Some(entry) = &mut event.logentry {
            self.text(&mut entry.message);
            entry.params.iter_mut().for_each(|value| self.redactor.data(value));
        }
        for text in [&mut event.message, &mut event.culprit, &mut event.logger].into_iter().flatten() {
            self.text(text);
        }
        event.fingerprint.to_mut().iter_mut().for_each(|part| self.redactor.text_in_place(part.to_mut()));
        event.exception.values.iter_mut().for_each(|exception| self.scrub_exception(exception));
        for thread in &mut event.threads.values {
            thread.name.iter_mut().for_each(|name| self.text(name));
            self.scrub_stacks([&mut thread.stacktrace, &mut thread.raw_stacktrace]);
        }
        self.scrub_stacks([&mut event.stacktrace]);
        self.scrub_breadcrumbs(&mut event.breadcrumbs.values);
        if let Some(user) = &mut event.user {
            self.scrub_user(user);
        }
        if let Some(name) = &mut event.transaction {
            self.scrub_name(name);
        }
        event.server_name = self.server_name.clone().map(Into::into);
        event.dist = event.dist.take().or_else(|| self.dist.clone().map(Into::into));
    }

    pub(crate) fn transaction(&self, transaction: &mut Transaction<'static>) {
        if let Some(request) = &mut transaction.request {
            self.scrub_request(request);
        }
        self.scrub_values(&mut transaction.extra);
        self.scrub_tags(&mut transaction.tags);
        self.scrub_contexts(&mut transaction.contexts);
        for span in &mut transaction.spans {
            self.scrub_values(&mut span.data);
            self.scrub_tags(&mut span.tags);
            [&mut span.op, &mut span.description].into_iter().flatten().for_each(|text| self.text(text));
        }
        if let Some(user) = &mut transaction.user {
            self.scrub_user(user);
        }
        if let Some(name) = &mut transaction.name {
            self.scrub_name(name);
        }
        transaction.server_name = self.server_name.clone().map(Into::into);
    }

    pub(crate) fn text(&self, text: &mut String) {
        self.redactor.text_in_place(text);
    }

    pub(crate) fn value(&self, key: &str, value: &mut Value) {
        let mut one = serde_json::Map::from_iter([(key.to_owned(), value.take())]);
        self.redactor.map(&mut one);
        *value = one.remove(key).unwrap_or_default();
    }

    /// A user's id, or its pseudonym.
    pub(crate) fn user_id(&self, id: &mut String) {
        self.pseudonymized_text(["user_id", "id"], id);
    }

    /// The pseudonym of an address, if addresses have pseudonyms.
    pub(crate) fn address_pseudonym(&self, address: IpAddr) -> Option<String> {
        self.pseudonym(["client.address", "ip_address"], &address.to_string())
    }

    fn scrub_values(&self, values: &mut Map<String, Value>) {
        values.iter_mut().for_each(|(key, value)| self.value(key, value));
    }

    fn scrub_tags(&self, tags: &mut Map<String, String>) {
        for (key, tag) in tags {
            // A UUID can contain the digits of a card number.
            if key == "request_id" && is_opaque_id(tag) {
                continue;
            }
            let mut value = Value::String(std::mem::take(tag));
            self.value(key, &mut value);
            *tag = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        }
    }

    fn scrub_contexts(&self, contexts: &mut Map<String, Context>) {
        for (name, context) in contexts {
            match context {
                Context::Trace(trace) => {
                    self.scrub_values(&mut trace.data);
                    let texts = [&mut trace.op, &mut trace.description, &mut trace.origin];
                    texts.into_iter().flatten().for_each(|text| self.text(text));
                }
                Context::Other(values) => {
                    let mut value = Value::from_iter(std::mem::take(values));
                    self.value(name, &mut value);
                    *values = into_map(value);
                }
                typed => {
                    let mut value = serde_json::to_value(&*typed).unwrap_or_default();
                    self.redactor.data(&mut value);
                    // A number that is redacted becomes a text, which the type may not accept.
                    *typed = serde_json::from_value(value.clone()).unwrap_or_else(|_| Context::Other(into_map(value)));
                }
            }
        }
    }

    fn scrub_exception(&self, exception: &mut Exception) {
        self.text(&mut exception.ty);
        [&mut exception.value, &mut exception.module].into_iter().flatten().for_each(|text| self.text(text));
        self.scrub_stacks([&mut exception.stacktrace, &mut exception.raw_stacktrace]);
        if let Some(mechanism) = &mut exception.mechanism {
            mechanism.description.iter_mut().for_each(|text| self.text(text));
            self.scrub_values(&mut mechanism.data);
        }
    }

    /// Only variables are data.
    fn scrub_stacks<'a>(&self, stacks: impl IntoIterator<Item = &'a mut Option<Stacktrace>>) {
        let frames = stacks.into_iter().flatten().flat_map(|stack| &mut stack.frames);
        frames.for_each(|frame| self.scrub_values(&mut frame.vars));
    }

    /// Those of the helper and of the SDK become one list in order of time, of which the newest remain.
    fn scrub_breadcrumbs(&self, breadcrumbs: &mut Vec<Breadcrumb>) {
        breadcrumbs.sort_by_key(|crumb| crumb.timestamp);
        breadcrumbs.drain(..breadcrumbs.len().saturating_sub(self.max_breadcrumbs));
        for crumb in breadcrumbs {
            [&mut crumb.message, &mut crumb.category].into_iter().flatten().for_each(|text| self.text(text));
            self.scrub_values(&mut crumb.data);
        }
    }

    /// The name of a transaction, which begins with the method that the client chose.
    fn scrub_name(&self, name: &mut String) {
        self.text(name);
        cut(name, self.limits.header);
    }

    /// Pseudonyms by the names that records have for these values, or by the SDK's.
    fn pseudonym(&self, keys: [&str; 2], value: &str) -> Option<String> {
        keys.iter().find_map(|key| self.redactor.pseudonym(key, &value))
    }

    fn pseudonymized_text(&self, keys: [&str; 2], text: &mut String) {
        match self.pseudonym(keys, text) {
            Some(token) => *text = token,
            None => self.text(text),
        }
    }

    fn scrub_user(&self, user: &mut User) {
        user.id.iter_mut().for_each(|id| self.user_id(id));
        user.email.iter_mut().for_each(|email| self.pseudonymized_text(["email", "email"], email));
        user.username.iter_mut().for_each(|name| self.pseudonymized_text(["username", "user_name"], name));
        if let Some(IpAddress::Exact(address)) = user.ip_address
            && let Some(token) = self.address_pseudonym(address)
        {
            // The protocol's own field accepts only an address.
            user.ip_address = None;
            user.other.insert("client.address".into(), token.into());
        }
        self.scrub_values(&mut user.other);
    }

    fn query(&self, query: &str) -> String {
        let mut query = self.redactor.query(query);
        cut(&mut query, self.limits.path);
        query
    }

    fn scrub_request(&self, request: &mut Request) {
        if let Some(method) = &mut request.method {
            cut(method, self.limits.header);
        }
        request.headers.retain(|name, _| cyanotype_redact::is_header_allowed(name));
        for (name, value) in &mut request.headers {
            // A UUID can contain the digits of a card number.
            if name.eq_ignore_ascii_case("x-request-id") && is_opaque_id(value) {
                continue;
            }
            *value = self.redactor.header(value).into_owned();
            cut(value, self.limits.header);
        }
        request.cookies = None;
        request.data = None;
        if let Some(url) = &mut request.url {
            let query = url.query().map(|query| self.query(query));
            url.set_query(query.as_deref());
            let mut path = self.redactor.path(url.path()).into_owned();
            cut(&mut path, self.limits.path);
            url.set_path(&path);
            // A password in the URL must not be sent.
            let _ = url.set_password(None);
            url.set_fragment(None);
        }
        if let Some(query) = &mut request.query_string {
            *query = self.query(query);
        }
        for (key, value) in &mut request.env {
            if !matches!(key.as_str(), "SERVER_NAME" | "SERVER_PORT") {
                *value = REDACTED.to_owned();
            }
        }
    }
}

fn into_map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { return Map::from([("value".to_owned(), value)]) };
    map.into_iter().collect()
}

/// Cuts a redacted text on a character boundary.
fn cut(text: &mut String, max: usize) {
    text.truncate(text.floor_char_boundary(max));
}

#[cfg(test)]
mod tests;
