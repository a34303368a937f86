//! One setting: its key, type, default, check and documentation.

/// A check beyond the type, of a value written as text; of a list it checks each item. The error states what is wrong and
/// what is allowed.
pub type Check = fn(&str) -> Result<(), String>;

/// What the key of a setting's file has at its end.
pub(crate) const FILE_SUFFIX: &str = "_file";

/// The values that a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueType {
    /// One of these words; [`one_of`](crate::one_of) lists those of an enum.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// Any text.
    Text,
    /// A text that is never shown.
    Secret,
    /// A URL that may contain credentials, which are never shown.
    Url,
    /// A whole number between the two, both included.
    Whole(u64, u64),
    /// A number between the two, both included.
    Number(f64, f64),
    /// A list of texts: an array in TOML, separated by commas elsewhere.
    List,
}

impl ValueType {
    /// What is allowed, as the end of a sentence that begins "allowed is …".
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            ValueType::OneOf(words) => format!("one of {}", words.join(", ")),
            ValueType::Switch => "true or false".into(),
            ValueType::Text | ValueType::Secret => "a text".into(),
            ValueType::Url => "a URL".into(),
            ValueType::Whole(low, u64::MAX) => format!("a whole number from {low}"),
            ValueType::Whole(low, high) => format!("a whole number from {low} to {high}"),
            ValueType::Number(low, high) => format!("a number from {low} to {high}"),
            ValueType::List => "a list of texts, separated by commas".into(),
        }
    }

    /// Whether values may contain credentials.
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, ValueType::Secret | ValueType::Url)
    }
}

/// One setting, as its section declares it.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Dotted. The last name in angle brackets is free: `log.levels.<module>`.
    pub key: String,
    /// The values that it takes.
    pub value_type: ValueType,
    /// As an operator would write it. `None`: unset by default.
    pub default: Option<&'static str>,
    /// Its documentation: a phrase without a full stop.
    pub about: &'static str,
    /// An environment variable of another name that sets it, beside `APP__…`.
    pub env_alias: Option<&'static str>,
    /// What its type alone does not check.
    pub check: Option<Check>,
}

impl Setting {
    /// Whether the last name of its key is free.
    #[must_use]
    pub fn has_free_name(&self) -> bool {
        self.key.ends_with('>')
    }

    /// The key that takes the name of a file with this setting's value instead, if that may hold a credential:
    /// `sentry.dsn_file` for `sentry.dsn`.
    #[must_use]
    pub fn file_key(&self) -> Option<String> {
        self.value_type.is_secret().then(|| format!("{}{FILE_SUFFIX}", self.key))
    }

    /// The variable beside its alias that takes such a file: `SENTRY_DSN_FILE`.
    pub(crate) fn file_alias(&self) -> Option<String> {
        let alias = self.env_alias.filter(|_| self.value_type.is_secret())?;
        Some(format!("{alias}{}", FILE_SUFFIX.to_uppercase()))
    }

    /// Everything before the free name.
    pub(crate) fn stem(&self) -> Option<&str> {
        self.has_free_name().then(|| self.key.rsplit_once('<').map_or("", |(stem, _)| stem))
    }

    /// Whether a layer's key is this setting's.
    pub(crate) fn matches(&self, key: &str) -> bool {
        match self.stem() {
            Some(stem) => key.strip_prefix(stem).is_some_and(|name| !name.is_empty() && !name.contains('.')),
            None => self.key == key,
        }
    }
}

/// The environment variable of a key: `APP__LOG__MODE` for `log.mode`.
pub(crate) fn variable(key: &str) -> String {
    format!("APP__{}", key.replace(['<', '>'], "").to_uppercase().replace('.', "__"))
}
