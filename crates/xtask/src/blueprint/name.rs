//! A blueprint's name and its forms in Rust, SQL and paths.

use std::fmt;
use std::str::FromStr;

use super::reserved_words;

/// Keeps the generated line in the blueprint list within the maximum line width.
const MAX_LENGTH: usize = 32;

/// Names that no blueprint may have, and what uses them.
const RESERVED: [(&str, &str); 9] = [
    ("app", "the app package"),
    ("core", "the core crate"),
    ("cyanotype", "the core crate"),
    ("docs", "a built-in path"),
    ("openapi", "a built-in path"),
    ("probe", "the test blueprint"),
    ("schema-writers", "a table of the core crate"),
    ("tests", "the test package"),
    ("xtask", "the xtask package"),
];

/// Types that a generated crate or its tests import, and that the blueprint's own type would shadow.
const IMPORTED_TYPES: [&str; 18] = [
    "arc",
    "authenticator",
    "blueprint",
    "dependency",
    "executor",
    "migrations",
    "open-api",
    "option",
    "resources",
    "service-config",
    "some",
    "string",
    "task",
    "test-service",
    "tokens",
    "uuid",
    "value",
    "vec",
];

/// A valid name for a new blueprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// `stock-levels`: the blueprint and its feature.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `stock_levels`: the table.
    pub fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// `StockLevels`: the type.
    pub fn pascal(&self) -> String {
        let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        self.0.split('-').map(word).collect()
    }

    /// `blueprint-stock-levels`: the package.
    pub fn package(&self) -> String {
        format!("blueprint-{self}")
    }

    /// `blueprint_stock_levels`: the crate in Rust code.
    pub fn module(&self) -> String {
        format!("blueprint_{}", self.snake())
    }

    /// `/stock-levels`: the path prefix.
    pub fn prefix(&self) -> String {
        format!("/{self}")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !reserved_words::are_joined_by(text, '-') {
            return Err("a name consists of lower-case words joined by hyphens, such as `stock-levels`".into());
        }
        if text.len() > MAX_LENGTH {
            return Err(format!("a name has at most {MAX_LENGTH} characters, but this one has {}", text.len()));
        }
        let name = Self(text.into());
        if let Some((_, by)) = RESERVED.iter().find(|(reserved, _)| *reserved == text) {
            return Err(format!("this name is reserved for {by}"));
        }
        if let Some(language) = reserved_words::language(&name.snake()) {
            return Err(format!("this is {language} keyword; choose another name, such as the plural"));
        }
        if IMPORTED_TYPES.contains(&text) || ["sqlite-", "pg-"].iter().any(|prefix| text.starts_with(prefix)) {
            return Err(
                "this name conflicts with one that the generated code uses; choose another, such as the plural".into(),
            );
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_form_for_each_language() {
        let name: Name = "stock-levels-2".parse().unwrap();
        assert_eq!((&*name.snake(), &*name.pascal()), ("stock_levels_2", "StockLevels2"));
        assert_eq!((&*name.package(), &*name.prefix()), ("blueprint-stock-levels-2", "/stock-levels-2"));
        assert_eq!(name.module(), "blueprint_stock_levels_2");
    }

    #[test]
    fn an_invalid_name_is_rejected_with_the_reason() {
        for (text, reason) in [
            ("", "lower-case words"),
            ("Stock", "lower-case words"),
            ("stock_levels", "lower-case words"),
            ("2stock", "lower-case words"),
            ("-stock", "lower-case words"),
            ("stock-", "lower-case words"),
            ("stock--levels", "lower-case words"),
            ("../stock", "lower-case words"),
            ("stöck", "lower-case words"),
            (&"x".repeat(33), "at most 32"),
            ("core", "reserved for the core crate"),
            ("app", "reserved for the app package"),
            ("docs", "reserved for a built-in path"),
            ("match", "a Rust keyword"),
            ("order", "an SQL keyword"),
            ("current-date", "an SQL keyword"),
            ("option", "conflicts with"),
            ("pg-class", "conflicts with"),
        ] {
            let rejected = text.parse::<Name>().unwrap_err();
            assert!(rejected.contains(reason), "{text}: {rejected}");
        }
        for text in ["inventory", "a", "a1", "stock-2", &"x".repeat(32)] {
            assert!(text.parse::<Name>().is_ok(), "{text}");
        }
    }
}
