//! The numbers and literals of JSON, recognized without parsing their values.

/// Whether this is a JSON number or literal.
#[inline]
pub(crate) fn is_scalar(text: &[u8]) -> bool {
    matches!(text, b"true" | b"false" | b"null") || is_number(text)
}

fn is_number(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let rest = match rest {
        [b'0', rest @ ..] => Some(rest),
        rest => after_digits(rest),
    };
    let fraction = |rest: &[u8]| -> Option<usize> {
        match rest {
            [b'.', decimals @ ..] => after_digits(decimals).map(<[u8]>::len),
            rest => Some(rest.len()),
        }
    };
    let Some(rest) = rest else { return false };
    let Some(left) = fraction(rest) else { return false };
    match &rest[rest.len() - left..] {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            after_digits(exponent).is_some_and(<[u8]>::is_empty)
        }
        _ => false,
    }
}

/// The rest after the leading digits, if there are any.
fn after_digits(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (length > 0).then_some(&text[length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_match_those_of_a_json_parser() {
        let mut texts = vec![Vec::new()];
        for _ in 0..5 {
            let longer = texts.iter().flat_map(|text: &Vec<u8>| b"01-+.eE".iter().map(|c| [text, &[*c][..]].concat()));
            texts = [texts.clone(), longer.collect()].concat();
            texts.sort();
            texts.dedup();
        }
        texts.extend(
            ["true", "false", "null", "True", "nul", "truee", "NaN", "-", "1e309", "-0.10E-07"].map(Into::into),
        );
        for text in texts {
            let read = serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
            assert_eq!(is_scalar(&text), read, "{}", String::from_utf8_lossy(&text));
        }
    }
}
