//! Types of errors that are not sent as events (`sentry.ignore`).

/// The names of types whose errors are not sent.
#[derive(Debug, Clone, Default)]
pub struct IgnoredTypes(Vec<String>);

impl IgnoredTypes {
    pub(crate) fn new(names: &[String]) -> Self {
        Self(names.to_vec())
    }

    /// Whether an error of this type, caused by one of the type `root`, is not sent. A name is the full name of the type, or its
    /// last segment.
    #[must_use]
    pub fn contains(&self, error: &str, root: &str) -> bool {
        let is_named = |name: &String, of: &str| *name == of || Some(name.as_str()) == of.rsplit("::").next();
        self.0.iter().any(|name| is_named(name, error) || is_named(name, root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_ignored_by_its_name_or_last_segment() {
        let ignored = IgnoredTypes::new(&["shop::SoldOut".into(), "Timeout".into()]);
        for (error, root, expected) in [
            ("shop::SoldOut", "Io", true),
            ("SoldOut", "Io", false),
            ("my::shop::SoldOut", "Io", false),
            ("Timeout", "Timeout", true),
            ("db::Timeout", "Io", true),
            ("Problem", "db::Timeout", true),
            ("TimeoutError", "Io", false),
        ] {
            assert_eq!(ignored.contains(error, root), expected, "{error} {root}");
        }
        assert!(!IgnoredTypes::default().contains("Timeout", "Timeout"));
    }
}
