//! Response bodies, the same for all servers.

use std::sync::LazyLock;

/// An order; a file, so that servers in other languages can read it.
const ORDER: &str = include_str!("../bodies/order.json");
/// The last digits of the order's id.
const LAST_DIGITS: &str = "a1c884441021";

const LARGE: usize = 8 * 1024;
const HUGE: usize = 64 * 1024;

/// The bodies by the last segment of their paths.
pub static BODIES: LazyLock<[(&str, String); 5]> = LazyLock::new(|| {
    [
        ("order", ORDER.to_owned()),
        ("small", r#"{"status": "ok"}"#.to_owned()),
        ("large", list(LARGE, |n| ORDER.replace(LAST_DIGITS, &format!("{n:012}")))),
        ("huge", list(HUGE, |n| ORDER.replace(LAST_DIGITS, &format!("{n:012}")))),
        ("secret", list(LARGE, secret)),
    ]
});

/// The body of this name.
pub fn body(name: &str) -> Option<&'static str> {
    BODIES.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
}

/// A list of as many items as fit into this number of bytes.
fn list(bytes: usize, item: impl Fn(usize) -> String) -> String {
    const END: &str = r#"],"next":null}"#;
    let mut text = String::from(r#"{"items":["#);
    for n in 0.. {
        let item = item(n);
        if text.len() + 1 + item.len() + END.len() > bytes {
            break;
        }
        if n > 0 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text + END
}

/// An account with every kind of secret: by key, by form, and inside another text.
fn secret(n: usize) -> String {
    format!(
        r#"{{"id":{n},"email":"user{n}@example.org","password":"correct horse {n}","card":"4111 1111 1111 1111","session":{{"token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl","expires_in":3600}},"hook":"https://example.org/hook?api_key=k{n}&page=2","note":"sent with Authorization: Bearer abcdef{n}"}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_of_the_expected_sizes() {
        for ((name, text), (least, most)) in
            BODIES.iter().zip([(450, 500), (16, 16), (7_700, 8_192), (65_000, 65_536), (7_700, 8_192)])
        {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{name}");
            assert!((least..=most).contains(&text.len()), "{name} has {} bytes", text.len());
        }
        assert!(ORDER.contains(LAST_DIGITS));
    }
}
