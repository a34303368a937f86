//! The private members of a JSON Web Key (RFC 7518, section 6): `"d":"…"` beside `"kty"`.

use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

/// The member that every key has.
pub(super) const MARK: &str = "\"kty\"";
/// The members with private values.
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// Whether the value of this member is private, in an object that has a member `kty`.
pub(crate) fn is_private_member(name: &str) -> bool {
    PRIVATE_MEMBERS.contains(&name)
}

/// Searches objects one after the other.
#[derive(Default)]
pub(super) struct Objects {
    /// The end of the searched text.
    searched: usize,
}

impl Objects {
    /// The values of the private members in the object around this mark. The object contains no other one, and its text
    /// may be a part. Marks must be in ascending order.
    pub(super) fn private_values(&mut self, text: &[u8], mark: usize) -> Vec<Range<usize>> {
        if mark < self.searched {
            return Vec::new();
        }
        let start = memrchr(b'{', &text[self.searched..mark]).map_or(self.searched, |at| self.searched + at);
        let end = memchr(b'}', &text[mark..]).map_or(text.len(), |at| mark + at);
        self.searched = end;
        private_values(&text[start..end]).map(|value| start + value.start..start + value.end).collect()
    }
}

/// The values of all members with these names.
fn private_values(object: &[u8]) -> impl Iterator<Item = Range<usize>> {
    memmem::find_iter(object, "\"").filter_map(|quote| {
        let name = &object[quote + 1..];
        let length = memchr(b'"', &name[..name.len().min(3)])?;
        if !std::str::from_utf8(&name[..length]).is_ok_and(is_private_member) {
            return None;
        }
        let colon = quote + 1 + length + 1;
        let value = after_white_space(object, colon).filter(|at| object[*at] == b':')?;
        let value = after_white_space(object, value + 1).filter(|at| object[*at] == b'"')? + 1;
        let length = memchr(b'"', &object[value..]).unwrap_or(object.len() - value);
        (length > 0 && !object[value..].starts_with(crate::REDACTED.as_bytes())).then_some(value..value + length)
    })
}

fn after_white_space(text: &[u8], at: usize) -> Option<usize> {
    text.get(at..)?.iter().position(|byte| !byte.is_ascii_whitespace()).map(|length| at + length)
}

#[cfg(test)]
mod tests {
    use crate::patterns::{PatternFinder, Patterns};

    #[test]
    fn private_members_of_a_key_are_redacted() {
        let finder = PatternFinder::new(Patterns::default());
        let shown = |text: &str| finder.redact(text, false).into_owned();
        assert_eq!(
            shown(r#"key {"kty":"RSA","n":"0vx7","e":"AQAB", "d" : "X4cT","p":"83i-", "qi":"GyM_"} read"#),
            r#"key {"kty":"RSA","n":"0vx7","e":"AQAB", "d" : "[redacted]","p":"[redacted]", "qi":"[redacted]"} read"#
        );
        assert_eq!(
            shown(r#"{"keys":[{"k":"AyM1","kty":"oct"},{"d":"x"},{"d":"jpsQ","crv":"P-256","kty":"EC"#),
            r#"{"keys":[{"k":"[redacted]","kty":"oct"},{"d":"x"},{"d":"[redacted]","crv":"P-256","kty":"EC"#
        );
        for end in 18..20 {
            assert_eq!(finder.redact(&r#"{"kty":"EC","d":"jpsQ"}"#[..end], true), r#"{"kty":"EC","d":"[redacted]"#);
        }
        for other in [r#"{"d":"x","k":"y"}"#, r#"{"kty":"RSA","n":"0vx7","e":"AQAB"}"#, r#"{"kty":"EC","d":1,"k""#] {
            assert_eq!(shown(other), other);
        }
    }
}
