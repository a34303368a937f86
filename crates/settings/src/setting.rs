//! One setting: its key, type, default, check and documentation.

/// A check of a value's text in addition to its type; for a list, of each item. The error states the reason and the
/// allowed values.
pub type Check = fn(&str) -> Result<(), String>;

/// The suffix of the key that names a file with a setting's value.
pub(crate) const FILE_SUFFIX: &str = "_file";

/// The type of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueType {
    /// One of these words; [`one_of`](crate::one_of) lists the variants of an enum.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// Any string.
    Text,
    /// A string that is masked in output.
    Secret,
    /// A URL that may contain credentials, which are masked in output.
    Url,
    /// An integer in this inclusive range.
    Integer(u64, u64),
    /// A number in this inclusive range.
    Number(f64, f64),
    /// A list of strings: an array in TOML, comma-separated in other layers.
    List,
}

impl ValueType {
    /// The allowed values, to follow "expected" in a message.
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            ValueType::OneOf(words) => format!("one of {}", words.join(", ")),
            ValueType::Bool => "true or false".into(),
            ValueType::Text | ValueType::Secret => "a string".into(),
            ValueType::Url => "a URL".into(),
            ValueType::Integer(low, u64::MAX) => format!("a whole number from {low}"),
            ValueType::Integer(low, high) => format!("a whole number from {low} to {high}"),
            ValueType::Number(low, high) => format!("a number from {low} to {high}"),
            ValueType::List => "a comma-separated list".into(),
        }
    }

    /// Whether values may contain credentials.
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, ValueType::Secret | ValueType::Url)
    }
}

/// A setting as declared by its section.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The dotted key. A last part in angle brackets is a placeholder for any name: `log.levels.<module>`.
    pub key: String,
    /// The type of its value.
    pub value_type: ValueType,
    /// The default as an operator would write it; `None` if unset by default.
    pub default: Option<&'static str>,
    /// Its documentation: a noun phrase without a full stop.
    pub about: &'static str,
    /// An environment variable that sets it in addition to `APP__…`.
    pub env_alias: Option<&'static str>,
    /// A check in addition to the type.
    pub check: Option<Check>,
}

impl Setting {
    /// Whether the last part of its key is a placeholder.
    #[must_use]
    pub fn has_placeholder(&self) -> bool {
        self.key.ends_with('>')
    }

    /// The key of a file that contains this setting's value, if the value may contain credentials: `sentry.dsn_file`
    /// for `sentry.dsn`.
    #[must_use]
    pub fn file_key(&self) -> Option<String> {
        self.value_type.is_secret().then(|| format!("{}{FILE_SUFFIX}", self.key))
    }

    /// The alias with which the environment names such a file: `SENTRY_DSN_FILE`.
    pub(crate) fn file_alias(&self) -> Option<String> {
        let alias = self.env_alias.filter(|_| self.value_type.is_secret())?;
        Some(format!("{alias}{}", FILE_SUFFIX.to_uppercase()))
    }

    /// The key up to the placeholder.
    pub(crate) fn stem(&self) -> Option<&str> {
        self.has_placeholder().then(|| self.key.rsplit_once('<').map_or("", |(stem, _)| stem))
    }

    /// Whether a layer's key sets this setting.
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
