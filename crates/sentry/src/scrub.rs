//! Scrubbing of outgoing events and transactions: only allowed headers are retained, the query and all data are redacted, and
//! the texts that a client chose are cut.

use cyanotype_redact::{REDACTED, Redactor, is_opaque_id};
use cyanotype_telemetry::Settings;
use cyanotype_telemetry::settings::ClientTextLimits;
use sentry::protocol::{Event, IpAddress, Request, Transaction, User};

/// Scrubs what is sent.
pub(crate) struct Scrubber {
    redactor: Redactor,
    limits: ClientTextLimits,
    /// The only server name that is sent; the SDK would send the host name where it is to be omitted.
    server_name: Option<String>,
    dist: Option<String>,
}

impl Scrubber {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            redactor: settings.log.redactor(),
            limits: settings.log.lines.client_text_limits(),
            server_name: settings.sentry.server_name(),
            dist: settings.sentry.dist.clone(),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let limits = ClientTextLimits { path: 24, header: 8 };
        Self { redactor: Redactor::default(), limits, server_name: Some("web-1".into()), dist: Some("14".into()) }
    }

    pub(crate) fn event(&self, mut event: Event<'static>) -> Event<'static> {
        if let Some(request) = &mut event.request {
            self.scrub_request(request);
        }
        for (key, value) in &mut event.extra {
            self.scrub_value(key, value);
        }
        let logged = event.logentry.iter_mut().map(|entry| &mut entry.message);
        let raised = event.exception.values.iter_mut().filter_map(|exception| exception.value.as_mut());
        for text in event.message.iter_mut().chain(logged).chain(raised) {
            self.redactor.text_in_place(text);
        }
        for crumb in &mut event.breadcrumbs.values {
            if let Some(message) = &mut crumb.message {
                self.redactor.text_in_place(message);
            }
            for (key, value) in &mut crumb.data {
                self.scrub_value(key, value);
            }
        }
        if let Some(user) = &mut event.user {
            self.scrub_user(user);
        }
        // It begins with the method.
        if let Some(name) = &mut event.transaction {
            cut(name, self.limits.header);
        }
        event.server_name = self.server_name.clone().map(Into::into);
        event.dist = event.dist.or_else(|| self.dist.clone().map(Into::into));
        event
    }

    /// The SDK has no `before_send` hook for transactions, so the transport calls this.
    pub(crate) fn transaction(&self, transaction: &mut Transaction<'static>) {
        if let Some(request) = &mut transaction.request {
            self.scrub_request(request);
        }
        for (key, value) in &mut transaction.extra {
            self.scrub_value(key, value);
        }
        for (key, value) in transaction.spans.iter_mut().flat_map(|span| &mut span.data) {
            self.scrub_value(key, value);
        }
        if let Some(name) = &mut transaction.name {
            cut(name, self.limits.header);
        }
        transaction.server_name = self.server_name.clone().map(Into::into);
    }

    fn scrub_value(&self, key: &str, value: &mut serde_json::Value) {
        let mut one = serde_json::Map::from_iter([(key.to_owned(), value.take())]);
        self.redactor.map(&mut one);
        *value = one.remove(key).unwrap_or_default();
    }

    /// Pseudonyms by the names that records have for these values, or by the SDK's.
    fn scrub_user(&self, user: &mut User) {
        let pseudonym = |keys: [&str; 2], value: &str| keys.iter().find_map(|key| self.redactor.pseudonym(key, &value));
        let fields = [
            (["user_id", "id"], &mut user.id),
            (["email", "email"], &mut user.email),
            (["username", "user_name"], &mut user.username),
        ];
        for (keys, field) in fields {
            if let Some(text) = field {
                match pseudonym(keys, text) {
                    Some(token) => *text = token,
                    None => self.redactor.text_in_place(text),
                }
            }
        }
        if let Some(IpAddress::Exact(address)) = user.ip_address
            && let Some(token) = pseudonym(["client.address", "ip_address"], &address.to_string())
        {
            // The protocol's own field accepts only an address.
            user.ip_address = None;
            user.other.insert("client.address".into(), token.into());
        }
        for (key, value) in &mut user.other {
            self.scrub_value(key, value);
        }
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

/// Cuts a redacted text on a character boundary.
fn cut(text: &mut String, max: usize) {
    text.truncate(text.floor_char_boundary(max));
}

#[cfg(test)]
mod tests {
    use super::*;
    use cyanotype_redact::Pseudonyms;

    #[test]
    fn texts_that_a_client_chose_are_cut() {
        let long = "x".repeat(100);
        let mut request = Request {
            url: format!("https://shop.example/{long}?token=t0p&a={long}").parse().ok(),
            method: Some(long.clone()),
            query_string: Some(long.clone()),
            ..Default::default()
        };
        request.headers.insert("User-Agent".into(), format!("ää{long}"));
        let event = Event { request: Some(request), transaction: Some(long), ..Default::default() };
        let event = Scrubber::for_tests().event(event);
        assert_eq!(event.transaction, Some("x".repeat(8)));
        let request = event.request.expect("it has a request");
        let url = request.url.expect("it has a URL");
        assert_eq!((url.path().len(), url.query()), (24, Some("token=[redacted]&a=xxxxx")));
        assert_eq!((request.method, request.query_string), (Some("x".repeat(8)), Some("x".repeat(24))));
        assert_eq!(request.headers["User-Agent"], "ääxxxx");
    }

    #[test]
    fn the_server_name_and_the_dist_are_those_of_the_settings() {
        let from_sdk = || Event { server_name: Some("host".into()), ..Default::default() };
        let event = Scrubber::for_tests().event(from_sdk());
        assert_eq!((event.server_name.as_deref(), event.dist.as_deref()), (Some("web-1"), Some("14")));
        let none = Scrubber { server_name: None, dist: None, ..Scrubber::for_tests() };
        let event = none.event(from_sdk());
        assert_eq!((event.server_name, event.dist), (None, None));
        let mut transaction = Transaction { server_name: Some("host".into()), ..Default::default() };
        none.transaction(&mut transaction);
        assert_eq!(transaction.server_name, None);
    }

    #[test]
    fn a_request_id_that_is_a_uuid_is_unchanged() {
        let id = "41111111-1111-1111-8111-111111111111";
        let mut request = Request::default();
        request.headers.insert("X-Request-Id".into(), id.into());
        request.headers.insert("Referer".into(), id.into());
        let event = Scrubber::for_tests().event(Event { request: Some(request), ..Default::default() });
        assert_eq!(event.request.expect("it has a request").headers["X-Request-Id"], id);
    }

    #[test]
    fn a_user_has_the_pseudonyms_of_records() {
        let keys = ["email", "client.address"].map(str::to_owned);
        let pseudonyms = || Pseudonyms::new(&keys, "k1:000102030405060708090a0b0c0d0e0f").expect("the key is valid");
        let token = |value: &str| pseudonyms().token(value);
        let redactor = Redactor::default().with_pseudonyms(pseudonyms());
        let scrubber = Scrubber { redactor, ..Scrubber::for_tests() };
        let user = User {
            id: Some("7".into()),
            email: Some("ada@example.org".into()),
            ip_address: Some(IpAddress::Exact([192, 0, 2, 7].into())),
            ..User::default()
        };
        let user = scrubber.event(Event { user: Some(user), ..Default::default() }).user.expect("it has a user");
        assert_eq!((user.id.as_deref(), user.email), (Some("7"), Some(token("ada@example.org"))));
        assert_eq!((user.ip_address, user.other["client.address"].as_str()), (None, Some(&*token("192.0.2.7"))));
    }

    #[test]
    fn transactions_are_scrubbed() {
        let request = Request { url: "https://shop.example/?token=t0p".parse().ok(), ..Default::default() };
        let mut sent = Transaction { request: Some(request), ..Default::default() };
        sent.extra.insert("secret".into(), "t0p".into());
        Scrubber::for_tests().transaction(&mut sent);
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
        let after = serde_json::to_string(&Scrubber::for_tests().event(before)).expect("an event is JSON");
        assert!(!after.contains("t0p"), "{after}");
        assert!(after.contains("status=paid") && after.contains("curl"), "{after}");
    }
}
