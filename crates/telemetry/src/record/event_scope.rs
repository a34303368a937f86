use std::net::IpAddr;

use cyanotype_redact::Redactor;
use serde::Serialize;
use serde_json::{Map, Value};

/// Tags, a user, contexts and a fingerprint: of the rest of a request, set with [`scope`](crate::scope), or of one event.
///
/// Events have all of them; records on stderr have the tags and the user. The values of sensitive keys are redacted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EventScope {
    /// The tags, by which events can be searched.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub tags: Map<String, Value>,
    /// The user's `id`, `email`, `username`, `ip_address` and further values.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub user: Map<String, Value>,
    /// Objects of further values, by name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub contexts: Map<String, Value>,
    /// Events with equal fingerprints are grouped. Empty for the default grouping.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fingerprint: Vec<String>,
}

impl EventScope {
    /// Sets a tag.
    #[expect(clippy::needless_pass_by_value, reason = "numbers are passed as to the SDK's `set_tag`")]
    pub fn tag(&mut self, key: impl Into<String>, value: impl ToString) -> &mut Self {
        self.tags.insert(key.into(), value.to_string().into());
        self
    }

    /// Sets the user, and replaces the one that was set before.
    pub fn user(&mut self, user: User) -> &mut Self {
        self.user = user.0;
        self
    }

    /// Sets an object of further values, and replaces the one of the same name.
    pub fn context<K, V>(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = (K, V)>) -> &mut Self
    where
        K: Into<String>,
        V: Into<Value>,
    {
        let values: Map<String, Value> = values.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self.contexts.insert(name.into(), values.into());
        self
    }

    /// Sets the fingerprint: events with equal fingerprints are grouped. `{{ default }}` stands for Sentry's own.
    pub fn fingerprint<P: Into<String>>(&mut self, parts: impl IntoIterator<Item = P>) -> &mut Self {
        self.fingerprint = parts.into_iter().map(Into::into).collect();
        self
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what is set in another scope, which takes precedence.
    pub(crate) fn merge(&mut self, other: Self) {
        self.tags.extend(other.tags);
        self.contexts.extend(other.contexts);
        if !other.user.is_empty() {
            self.user = other.user;
        }
        if !other.fingerprint.is_empty() {
            self.fingerprint = other.fingerprint;
        }
    }

    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        // The names that records have for these values.
        for (key, name) in [("id", "user_id"), ("username", "user_name"), ("ip_address", "client.address")] {
            if let Some(Value::String(text)) = self.user.get_mut(key)
                && let Some(token) = redactor.pseudonym(name, &text)
            {
                *text = token;
            }
        }
        for map in [&mut self.tags, &mut self.user, &mut self.contexts] {
            redactor.map(map);
        }
        self.fingerprint.iter_mut().for_each(|part| redactor.text_in_place(part));
    }
}

/// The user that a request acts for.
///
/// ```
/// use cyanotype_telemetry::User;
/// let user = User::new("7").email("ada@example.org").data("plan", "free");
/// ```
#[derive(Debug, Clone, Default)]
pub struct User(Map<String, Value>);

impl User {
    /// A user with this id. `User::default()` has none.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "numbers are passed as they are")]
    pub fn new(id: impl ToString) -> Self {
        Self::default().data("id", id.to_string())
    }

    /// Sets the e-mail address.
    #[must_use]
    pub fn email(self, email: impl Into<String>) -> Self {
        self.data("email", email.into())
    }

    /// Sets the name.
    #[must_use]
    pub fn username(self, name: impl Into<String>) -> Self {
        self.data("username", name.into())
    }

    /// Sets the IP address.
    #[must_use]
    pub fn ip_address(self, address: IpAddr) -> Self {
        self.data("ip_address", address.to_string())
    }

    /// Adds a further value.
    #[must_use]
    pub fn data(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use cyanotype_redact::Pseudonyms;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_later_scope_takes_precedence() {
        let mut scope = EventScope::default();
        scope.tag("shard", 7).tag("colour", "blue").user(User::new("7").email("ada@example.org")).fingerprint(["one"]);
        scope.context("order", [("id", 1)]).context("cart", [("size", 2)]);
        let mut other = EventScope::default();
        other.tag("colour", "red").context("order", [("sku", "A-1")]);
        scope.merge(other.clone());
        assert_eq!(scope.tags, *json!({"shard": "7", "colour": "red"}).as_object().expect("an object"));
        assert_eq!(Value::from(scope.contexts.clone()), json!({"cart": {"size": 2}, "order": {"sku": "A-1"}}));
        assert_eq!(
            (scope.user["email"].as_str(), &*scope.fingerprint),
            (Some("ada@example.org"), &["one".to_owned()][..])
        );
        other.user(User::new("8")).fingerprint(["two", "three"]);
        scope.merge(other);
        assert_eq!((Value::from(scope.user), scope.fingerprint.len()), (json!({"id": "8"}), 2));
    }

    #[test]
    fn each_value_is_redacted() {
        let secret = "password=t0psecret";
        let mut scope = EventScope::default();
        scope.tag("api_key", "t0psecret").tag("note", secret).user(User::new(secret).data("token", "t0psecret"));
        scope.context("order", [("pin", "t0psecret"), ("note", secret)]).fingerprint([secret]);
        scope.redact(&Redactor::default());
        let shown = format!("{scope:?}");
        assert!(!shown.contains("t0psecret") && shown.contains("[redacted]"), "{shown}");
    }

    #[test]
    fn a_user_has_the_pseudonyms_of_records() {
        let keys = ["user_id", "email", "client.address"].map(str::to_owned);
        let pseudonyms = || Pseudonyms::new(&keys, "k1:000102030405060708090a0b0c0d0e0f").expect("the key is valid");
        let redactor = Redactor::default().with_pseudonyms(pseudonyms());
        let mut scope = EventScope::default();
        scope.user(User::new("7").email("ada@example.org").ip_address([192, 0, 2, 7].into()));
        for _ in 0..2 {
            scope.redact(&redactor);
            let shown =
                ["id", "email", "ip_address"].map(|key| scope.user[key].as_str().unwrap_or_default().to_owned());
            assert_eq!(shown, ["7", "ada@example.org", "192.0.2.7"].map(|value| pseudonyms().token(value)));
        }
    }
}
