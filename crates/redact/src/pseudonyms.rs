//! Keyed pseudonyms: the same value has the same token in every sink, and the value cannot be computed from the token.

use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// The shortest key, in bytes.
const MIN_KEY_BYTES: usize = 16;
/// The shown bytes of the HMAC: 80 bits.
const TOKEN_BYTES: usize = 10;

/// Replaces the values of some keys by pseudonyms: `~k1:` and 20 hexadecimal digits of HMAC-SHA-256.
pub struct Pseudonyms {
    /// Each split into words in lower case.
    keys: Vec<Vec<String>>,
    /// Every id in the file, of which the last one is in use.
    ids: Vec<String>,
    hmac: Hmac<Sha256>,
}

/// Omits the key.
impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms").field("keys", &self.keys).field("ids", &self.ids).finish_non_exhaustive()
    }
}

impl Pseudonyms {
    /// Pseudonyms for the values of `keys`, by the last of `secrets`: lines of the form `id:hexadecimal key`.
    ///
    /// # Errors
    ///
    /// A line has another form, an id occurs twice, or a key is shorter than 16 bytes. The error contains no key.
    pub fn new(keys: &[String], secrets: &str) -> Result<Self, PseudonymError> {
        let error = |line: usize, reason: &str| PseudonymError(format!("line {line}: {reason}"));
        let mut ids: Vec<String> = Vec::new();
        let mut hmac = None;
        for (line, text) in (1..).zip(secrets.lines()) {
            let (id, key) = text.trim().split_once(':').ok_or_else(|| error(line, "expected `id:hexadecimal key`"))?;
            if !(1..=16).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(error(line, "expected an id of 1 to 16 letters and digits before the colon"));
            }
            if ids.iter().any(|known| known == id) {
                return Err(error(line, "this id occurs twice"));
            }
            let key = hex::decode(key).map_err(|_| error(line, "the key is not hexadecimal"))?;
            if key.len() < MIN_KEY_BYTES {
                return Err(error(line, "the key is shorter than 16 bytes (32 hexadecimal digits)"));
            }
            hmac = Some(Hmac::new_from_slice(&key).expect("HMAC accepts a key of any length"));
            ids.push(id.to_owned());
        }
        let hmac = hmac.ok_or_else(|| PseudonymError("there is no key".into()))?;
        Ok(Self { keys: keys.iter().map(|key| crate::keys::words(key)).collect(), ids, hmac })
    }

    /// Whether the values of this key have pseudonyms: in any letter case, with any separators.
    #[must_use]
    pub fn is_listed(&self, key: &str) -> bool {
        let words = crate::keys::words(key);
        self.keys.contains(&words)
    }

    /// The pseudonym of a value. White space around it, the letter case of an e-mail address and the notation of an IP
    /// address do not matter. A pseudonym is its own one, because some data passes the redactor twice.
    #[must_use]
    pub fn token(&self, value: &str) -> String {
        if self.is_token(value) {
            return value.to_owned();
        }
        let mac = self.hmac.clone().chain_update(normalized(value)).finalize().into_bytes();
        let id = self.ids.last().expect("there is a key");
        format!("~{id}:{}", hex::encode(&mac[..TOKEN_BYTES]))
    }

    /// The pseudonym of a string or a number.
    pub(crate) fn of(&self, value: &Value) -> Option<Value> {
        match value {
            Value::String(text) => Some(self.token(text).into()),
            Value::Number(number) => Some(self.token(&number.to_string()).into()),
            _ => None,
        }
    }

    /// The length of the token with which a text begins, whatever its key.
    pub(crate) fn token_length(text: &str) -> Option<usize> {
        let (id, rest) = text.strip_prefix('~')?.split_once(':')?;
        let is_id = (1..=16).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let digits = rest.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        (is_id && digits == 2 * TOKEN_BYTES).then(|| 2 + id.len() + digits)
    }

    fn is_token(&self, value: &str) -> bool {
        let parts = value.strip_prefix('~').and_then(|rest| rest.split_once(':'));
        parts.is_some_and(|(id, digits)| {
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            self.ids.iter().any(|known| known == id) && digits.len() == 2 * TOKEN_BYTES && digits.bytes().all(is_digit)
        })
    }
}

fn normalized(value: &str) -> String {
    let value = value.trim();
    match value.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) if value.contains('@') => value.to_lowercase(),
        Err(_) => value.to_owned(),
    }
}

/// The reason why a file of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PseudonymError(String);

impl fmt::Display for PseudonymError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PseudonymError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Patterns, Redactor, Syntax};
    use serde_json::json;

    const OLD: &str = "k1:000102030405060708090a0b0c0d0e0f";
    const NEW: &str = "k2:101112131415161718191a1b1c1d1e1f";

    fn pseudonyms(secrets: &str) -> Pseudonyms {
        Pseudonyms::new(&["email".into(), "user_id".into(), "client.address".into()], secrets).expect("valid keys")
    }

    #[test]
    fn equal_values_have_equal_pseudonyms() {
        let them = pseudonyms(OLD);
        let token = them.token("ada@example.org");
        assert_eq!(token.len(), "~k1:".len() + 20);
        assert!(token.starts_with("~k1:") && them.token(" Ada@Example.ORG") == token && them.token(&token) == token);
        assert_ne!(them.token("bob@example.org"), token);
        assert_ne!(them.token("Ada"), them.token("ada"), "an id may depend on the case");
        assert_eq!(them.token("::ffff:192.0.2.1"), them.token("192.0.2.1"));
    }

    #[test]
    fn the_last_key_is_used() {
        let both = pseudonyms(&format!("{OLD}\n{NEW}\n"));
        assert_eq!(both.token("7"), pseudonyms(NEW).token("7"));
        let old = pseudonyms(OLD).token("7");
        assert_eq!(both.token(&old), old, "a pseudonym of an earlier key stays");
    }

    #[test]
    fn listed_keys_have_pseudonyms_in_data() {
        let redactor = Redactor::new(&[], Patterns::default()).with_pseudonyms(pseudonyms(OLD));
        let mut data = json!({"Email": "a@b.example", "userId": 7, "deep": [{"user_id": "7", "email": ["a@b.example", {"pin": 1}]}], "password": "x"});
        redactor.data(&mut data);
        let token = |value| pseudonyms(OLD).token(value);
        assert_eq!(
            data,
            json!({"Email": token("a@b.example"), "userId": token("7"), "deep": [{"user_id": token("7"), "email": [token("a@b.example"), {"pin": "[redacted]"}]}], "password": "[redacted]"})
        );
    }

    #[test]
    fn listed_keys_have_pseudonyms_in_bodies_and_queries() {
        let redactor = Redactor::new(&[], Patterns::default()).with_pseudonyms(pseudonyms(OLD));
        let body = r#"{"Email":"a@b.example","x":[{"user_id":[7,"7",null,{"user_id":"7","pin":1}]}],"a":"b"}"#;
        let shown = redactor.content(body.as_bytes(), Syntax::Json, 1000, true).text;
        let [mail, seven] = ["a@b.example", "7"].map(|value| pseudonyms(OLD).token(value));
        let expected = format!(
            r#"{{"Email":"{mail}","x":[{{"user_id":["{seven}","{seven}",null,{{"user_id":"{seven}","pin":"[redacted]"}}]}}],"a":"b"}}"#
        );
        assert_eq!(shown, expected);
        assert_eq!(redactor.query("email=a%40b.example&user_id=7&a=b"), format!("email={mail}&user_id={seven}&a=b"));
    }

    #[test]
    fn unusable_keys_are_rejected_without_showing_them() {
        for (secrets, reason) in [
            ("", "there is no key"),
            ("000102030405060708090a0b0c0d0e0f", "line 1: expected `id:hexadecimal key`"),
            ("k1:0001", "line 1: the key is shorter than 16 bytes (32 hexadecimal digits)"),
            ("k1:zz", "line 1: the key is not hexadecimal"),
            (&format!("{OLD}\n{OLD}"), "line 2: this id occurs twice"),
            ("k 1:00", "line 1: expected an id of 1 to 16 letters and digits before the colon"),
        ] {
            assert_eq!(Pseudonyms::new(&[], secrets).expect_err(secrets).to_string(), reason);
        }
    }
}
