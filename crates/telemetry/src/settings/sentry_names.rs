//! The rules of Sentry for names of releases and environments. Sentry discards events whose names break them, without an error.

/// The characters that names must not contain, besides control characters.
const FORBIDDEN: [char; 2] = ['/', '\\'];

/// Names of releases: <https://docs.sentry.io/product/releases/naming-releases/>.
pub(super) fn check_release(release: &str) -> Result<(), String> {
    check("release", release, 200, &[".", "..", "latest", "none"])
}

/// Names of environments: <https://docs.sentry.io/concepts/key-terms/environments/>.
pub(super) fn check_environment(environment: &str) -> Result<(), String> {
    check("environment", environment, 64, &[".", "..", "none"])
}

pub(super) fn check_dist(dist: &str) -> Result<(), String> {
    check("dist", dist, 64, &[])
}

fn check(what: &str, name: &str, max_chars: usize, reserved: &[&str]) -> Result<(), String> {
    let count = name.chars().count();
    let discards = format!("Sentry discards events with this {what}");
    if count > max_chars {
        Err(format!("{discards}: it has {count} characters; expected at most {max_chars}"))
    } else if name.trim().is_empty() {
        Err(format!("{discards}: it is blank"))
    } else if name.chars().any(|char| char.is_control() || FORBIDDEN.contains(&char)) {
        Err(format!("{discards}: `{}` has a slash, a backslash or a control character", name.escape_debug()))
    } else if reserved.iter().any(|reserved| name.trim().eq_ignore_ascii_case(reserved)) {
        Err(format!("{discards}: `{name}` is a reserved name"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_sentry_discards_are_refused() {
        for bad in ["feature/x", "a\\b", "a\tb", "a\nb", "a\rb", "a\x7fb", ".", "..", "None", "NONE", " ", ""] {
            assert!(check_release(bad).is_err(), "release {bad:?}");
            assert!(check_environment(bad).is_err(), "environment {bad:?}");
        }
        assert!(check_release("Latest").is_err() && check_environment("latest").is_ok());
        for good in
            ["shop@1.2.3+4", "2026.11.27", "9fceb02d0ae598e95dc970b74767f19372d61af8", "grün", "nonesuch", "..."]
        {
            assert_eq!((check_release(good), check_environment(good)), (Ok(()), Ok(())), "{good}");
        }
        for (check, max) in [(check_release as fn(&str) -> _, 200), (check_environment, 64), (check_dist, 64)] {
            assert_eq!(check(&"ä".repeat(max)), Ok(()), "characters are counted, not bytes");
            let error = check(&"x".repeat(max + 1)).expect_err("it is too long");
            assert!(error.ends_with(&format!("it has {} characters; expected at most {max}", max + 1)), "{error}");
        }
        assert!(check_dist("14/2").is_err() && check_dist("14G60").is_ok());
    }
}
