//! What a new password may not be: the rules of NIST SP 800-63B, which asks for length and for no mixture of characters.
//!
//! No message repeats the password.

use garde::rules::length::chars::HasChars;

use crate::password::Password;

const MIN_CHARS: usize = 8;

/// The most common passwords of at least [`MIN_CHARS`] characters, in lower case, one a line. Where they are from stands in
/// `LICENSES.txt` beside it.
const COMMON: &str = include_str!("../common-passwords/list.txt");

/// Checks by the password alone, for garde's `custom`.
///
/// # Errors
/// When it is too short once normalized, or one of the most common ones.
pub(crate) fn strength(password: &Password, _: &()) -> garde::Result {
    let normalized = password.normalized();
    // What was sent too short is refused as such.
    if password.num_chars() >= MIN_CHARS && normalized.chars().count() < MIN_CHARS {
        return Err(garde::Error::new(format!("has fewer than {MIN_CHARS} characters in its NFKC form")));
    }
    if is_common(&normalized.to_lowercase()) {
        return Err(garde::Error::new("is one of the most common passwords"));
    }
    Ok(())
}

/// A search through 200 KB takes a hundredth of what hashing takes, and no memory.
fn is_common(lower_case: &str) -> bool {
    COMMON.lines().any(|common| common == lower_case)
}

/// Checks that a password is not its user's e-mail address, nor the part of it before the `@`.
///
/// # Errors
/// When it is.
pub(crate) fn not_the_address(password: &Password, address: &str) -> garde::Result {
    let (password, address) = (password.normalized().to_lowercase(), address.to_lowercase());
    let local_part = address.split_once('@').map(|(local_part, _)| local_part);
    if password == address || Some(&*password) == local_part {
        return Err(garde::Error::new("may not be the e-mail address, nor its part before the @"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::from(text.to_owned())
    }

    fn complaint(text: &str) -> Option<String> {
        strength(&password(text), &()).err().map(|error| error.message().to_owned())
    }

    #[test]
    fn the_list_can_be_searched() {
        assert!(COMMON.lines().count() > 20_000);
        for line in COMMON.lines() {
            assert!(line.chars().count() >= MIN_CHARS, "{line} is refused by its length");
            assert_eq!(password(line).normalized().to_lowercase(), line);
        }
    }

    #[test]
    fn common_passwords_are_refused_whatever_their_case_and_width() {
        for common in ["12345678", "password", "Password1", "QWERTYUIOP", "00000000", "ｐａｓｓｗｏｒｄ", "zzzzzzzz"]
        {
            let complaint = complaint(common).unwrap_or_else(|| panic!("{common} is accepted"));
            assert_eq!(complaint, "is one of the most common passwords");
        }
        for fine in ["correct horse", "12345678\n", "password\n12345678", "éééééééé", "qwerty"] {
            assert_eq!(complaint(fine), None, "{fine:?}");
        }
    }

    #[test]
    fn the_normalized_length_counts() {
        assert!(complaint("e\u{301}e\u{301}e\u{301}e\u{301}").is_some_and(|said| said.contains("fewer than 8")));
        assert_eq!(complaint(&"e\u{301}".repeat(8)), None);
    }

    #[test]
    fn an_address_and_its_local_part_are_no_passwords() {
        for same in ["ada.lovelace@example.org", "Ada.Lovelace@EXAMPLE.org", "ADA.LOVELACE", "ada.lovelace"] {
            assert!(not_the_address(&password(same), "ada.lovelace@example.org").is_err(), "{same}");
        }
        for other in ["ada.lovelace@example", "ada.lovelace!", "example.org"] {
            assert!(not_the_address(&password(other), "ada.lovelace@example.org").is_ok(), "{other}");
        }
    }
}
