//! A blueprint's name, and what it is called in Rust, SQL and paths.

use std::fmt;
use std::str::FromStr;

use super::words;

/// So that its line in the list of blueprints is no longer than a line may be.
const LONGEST: usize = 32;

/// Names that are taken although no blueprint has them, and by what.
const TAKEN: [(&str, &str); 9] = [
    ("app", "the package that serves"),
    ("core", "the core crate"),
    ("cyanotype", "the core crate"),
    ("docs", "a path of the service's own"),
    ("openapi", "a path of the service's own"),
    ("probe", "the blueprint of the tests"),
    ("schema-writers", "a table of the core"),
    ("tests", "the package of the tests"),
    ("xtask", "the package of this command"),
];

/// Types that a generated crate or its tests use, and that the blueprint's own type would hide.
const TYPES: [&str; 18] = [
    "arc",
    "authenticator",
    "blueprint",
    "executor",
    "migrations",
    "need",
    "open-api",
    "option",
    "resources",
    "served",
    "service-config",
    "some",
    "string",
    "task",
    "tokens",
    "uuid",
    "value",
    "vec",
];

/// A name that a new blueprint can have, as far as the name alone tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// `stock-levels`: the blueprint, its feature, its folder below `crates/` with `blueprint-` in front.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `stock_levels`: its table.
    pub fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// `StockLevels`: its type.
    pub fn pascal(&self) -> String {
        let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        self.0.split('-').map(word).collect()
    }

    /// `blueprint-stock-levels`
    pub fn package(&self) -> String {
        format!("blueprint-{self}")
    }

    /// `blueprint_stock_levels`: its crate in Rust.
    pub fn module(&self) -> String {
        format!("blueprint_{}", self.snake())
    }

    /// `/stock-levels`
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
        if !words::are_joined_by(text, '-') {
            return Err("a name is lower-case words with hyphens between them, such as `stock-levels`".into());
        }
        if text.len() > LONGEST {
            return Err(format!("a name has at most {LONGEST} characters, and this one has {}", text.len()));
        }
        let name = Self(text.into());
        if let Some((_, by)) = TAKEN.iter().find(|(taken, _)| *taken == text) {
            return Err(format!("the name is taken by {by}"));
        }
        if let Some(owner) = words::owner(&name.snake()) {
            return Err(format!("this is a word of {owner}: take another, such as its plural"));
        }
        if TYPES.contains(&text) || ["sqlite-", "pg-"].iter().any(|begin| text.starts_with(begin)) {
            return Err("the name would hide another that the crate needs: take another, such as its plural".into());
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_form_for_each_place() {
        let name: Name = "stock-levels-2".parse().unwrap();
        assert_eq!((&*name.snake(), &*name.pascal()), ("stock_levels_2", "StockLevels2"));
        assert_eq!((&*name.package(), &*name.prefix()), ("blueprint-stock-levels-2", "/stock-levels-2"));
        assert_eq!(name.module(), "blueprint_stock_levels_2");
    }

    #[test]
    fn what_cannot_be_a_name_is_refused_with_the_reason() {
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
            ("core", "taken by the core crate"),
            ("app", "taken by the package that serves"),
            ("docs", "taken by a path"),
            ("match", "a word of Rust"),
            ("order", "a word of SQL"),
            ("current-date", "a word of SQL"),
            ("option", "would hide"),
            ("pg-class", "would hide"),
        ] {
            let refused = text.parse::<Name>().unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
        for text in ["inventory", "a", "a1", "stock-2", &"x".repeat(32)] {
            assert!(text.parse::<Name>().is_ok(), "{text}");
        }
    }
}
