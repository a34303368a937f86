//! Rules for new passwords, from NIST SP 800-63B: a minimum length and a list of common passwords, but no character classes.
//!
//! No message contains the password.

use garde::rules::length::chars::HasChars;

use crate::password::Password;

const MIN_CHARS: usize = 8;

/// The most common passwords of at least [`MIN_CHARS`] characters, in lower case, one per line. `LICENSES.txt` in the same
/// directory names the sources.
const COMMON: &str = include_str!("../common-passwords/list.txt");

/// Checks the length of the NFKC form and the list of common passwords, for garde's `custom`.
///
/// # Errors
/// If the NFKC form is too short, or the password is common.
pub(crate) fn strength(password: &Password, _: &()) -> garde::Result {
    let normalized = password.normalized();
    // If the raw password is too short as well, the length rule of the field reports it.
    if password.num_chars() >= MIN_CHARS && normalized.chars().count() < MIN_CHARS {
        return Err(garde::Error::new(format!("has fewer than {MIN_CHARS} characters in its NFKC form")));
    }
    if is_common(&normalized.to_lowercase()) {
        return Err(garde::Error::new("is one of the most common passwords"));
    }
    Ok(())
}

/// A linear search of 200 KB takes a hundredth of the time of a hash, and needs no index in memory.
fn is_common(lower_case: &str) -> bool {
    COMMON.lines().any(|common| common == lower_case)
}

/// Checks that a password is neither the user's e-mail address nor the part of it before the `@`.
///
/// # Errors
/// If it is.
pub(crate) fn not_the_address(password: &Password, address: &str) -> garde::Result {
    let (password, address) = (password.normalized().to_lowercase(), address.to_lowercase());
    let local_part = address.split_once('@').map(|(local_part, _)| local_part);
    if password == address || Some(&*password) == local_part {
        return Err(garde::Error::new("must not be the e-mail address or the part of it before the @"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::from(text.to_owned())
    }

    fn error_message(text: &str) -> Option<String> {
        strength(&password(text), &()).err().map(|error| error.message().to_owned())
    }

    #[test]
    fn the_list_is_normalized_and_long_enough() {
        assert!(COMMON.lines().count() > 20_000);
        for line in COMMON.lines() {
            assert!(line.chars().count() >= MIN_CHARS, "{line} is shorter than the minimum length");
            assert_eq!(password(line).normalized().to_lowercase(), line);
        }
    }

    #[test]
    fn common_passwords_are_rejected_regardless_of_case_and_width() {
        for common in ["12345678", "password", "Password1", "QWERTYUIOP", "00000000", "ｐａｓｓｗｏｒｄ", "zzzzzzzz"]
        {
            let message = error_message(common).unwrap_or_else(|| panic!("{common} is accepted"));
            assert_eq!(message, "is one of the most common passwords");
        }
        for fine in ["correct horse", "12345678\n", "password\n12345678", "éééééééé", "qwerty"] {
            assert_eq!(error_message(fine), None, "{fine:?}");
        }
    }

    #[test]
    fn the_nfkc_form_has_a_minimum_length() {
        assert!(
            error_message("e\u{301}e\u{301}e\u{301}e\u{301}").is_some_and(|message| message.contains("fewer than 8"))
        );
        assert_eq!(error_message(&"e\u{301}".repeat(8)), None);
    }

    #[test]
    fn the_address_and_its_local_part_are_rejected() {
        for same in ["ada.lovelace@example.org", "Ada.Lovelace@EXAMPLE.org", "ADA.LOVELACE", "ada.lovelace"] {
            assert!(not_the_address(&password(same), "ada.lovelace@example.org").is_err(), "{same}");
        }
        for other in ["ada.lovelace@example", "ada.lovelace!", "example.org"] {
            assert!(not_the_address(&password(other), "ada.lovelace@example.org").is_ok(), "{other}");
        }
    }
}
