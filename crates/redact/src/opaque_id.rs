//! Identifiers without meaning.

/// Whether a text is an identifier in one of the usual forms, which contains no secret whatever its digits are: a UUID, a
/// ULID, or hexadecimal digits with at least one letter, as of a trace.
///
/// ```
/// use cyanotype_redact::is_opaque_id;
///
/// assert!(is_opaque_id("4111-1111-1111-1111") == false);
/// assert!(is_opaque_id("01a20497-2e54-4111-9111-111111111111"));
/// ```
#[must_use]
pub fn is_opaque_id(text: &str) -> bool {
    is_uuid(text.as_bytes()) || is_ulid(text.as_bytes()) || is_hexadecimal(text.as_bytes())
}

fn is_uuid(text: &[u8]) -> bool {
    let is_in_place = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.iter().enumerate().all(is_in_place)
}

/// 26 digits of Crockford's base 32, of which the first is at most 7.
fn is_ulid(text: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() && !b"ILOUilou".contains(byte);
    text.len() == 26 && matches!(text[0], b'0'..=b'7') && text.iter().all(is_digit)
}

/// A number in decimal digits may be that of a card.
fn is_hexadecimal(text: &[u8]) -> bool {
    (16..=64).contains(&text.len())
        && text.iter().all(u8::is_ascii_hexdigit)
        && text.iter().any(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_identifiers_are_opaque_and_secrets_are_not() {
        for id in [
            "4929-1111".replace('-', "a").repeat(3).as_str(),
            "41111111-1111-4111-8111-111111111111",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "00f067aa0ba902b7",
        ] {
            assert!(is_opaque_id(id), "{id}");
        }
        for other in ["4111111111111111", "4111-1111-1111-1111", "token=x", "web-1", "eyJhbGciOiJIUzI1NiJ9.a.b", ""] {
            assert!(!is_opaque_id(other), "{other}");
        }
    }
}
