//! The settings `log.redact.*`.

use cyanotype_redact::{OwnPattern, Patterns, Pseudonyms, Redactor};
use cyanotype_settings::{Conflict, Values, section};

section! {
    /// The settings `log.redact.*`: patterns that are redacted in any text.
    pub struct RedactSettings {
        /// The switches of the built-in patterns.
        #[serde(flatten)]
        #[setting(section)]
        pub switches: PatternSettings,
        /// keys that are not redacted although they look sensitive, such as id_token; a key with dots is the path to one, such as
        /// usage.tokens; keys of log.response.redact are redacted all the same
        #[serde(default)]
        #[setting(List)]
        pub keep: Vec<String>,
        /// own regular expressions (syntax of the Rust crate regex) of at most 1,000 bytes each, at most 32, that are redacted
        /// in any text: their first group, otherwise the whole match; an environment variable separates them by commas, so one
        /// that contains a comma must be in a file; with any, each text is searched in full
        #[serde(default)]
        #[setting(List, check = check_pattern)]
        patterns: Vec<String>,
        /// keys whose values are replaced by pseudonyms, such as email, user_id, client.address: equal values have equal
        /// pseudonyms on stderr and in Sentry; keys that are redacted are not allowed; requires
        /// log.redact.pseudonym_key_file
        #[serde(default)]
        #[setting(List, check = check_pseudonymized)]
        pseudonymize: Vec<String>,
        /// keys of the pseudonyms, a line `id:key` for each with a key of at least 16 bytes in hexadecimal; the last one is in
        /// use, so that keys can be rotated
        #[setting(Secret, check = check_pseudonym_key)]
        pseudonym_key: Option<String>,
    }
    validate_combination = are_usable;
}

impl RedactSettings {
    /// The own patterns.
    pub(super) fn own_patterns(&self) -> Vec<OwnPattern> {
        let compile = |pattern: &String| OwnPattern::new(pattern).expect("a setting's value was checked");
        self.patterns.iter().map(compile).collect()
    }

    /// The pseudonyms, if any keys have them.
    pub(super) fn pseudonyms(&self) -> Option<Pseudonyms> {
        let key = self.pseudonym_key.as_ref().filter(|_| !self.pseudonymize.is_empty())?;
        Some(Pseudonyms::new(&self.pseudonymize, key).expect("a setting's value was checked"))
    }
}

fn check_pattern(pattern: &str) -> Result<(), String> {
    OwnPattern::new(pattern).map(drop).map_err(|error| error.to_string())
}

fn check_pseudonymized(key: &str) -> Result<(), String> {
    if Redactor::default().is_sensitive(key) {
        return Err(format!("values of `{key}` are redacted; expected keys of values that are no secret"));
    }
    Ok(())
}

fn check_pseudonym_key(keys: &str) -> Result<(), String> {
    Pseudonyms::new(&[], keys).map(drop).map_err(|error| error.to_string())
}

fn are_usable(values: &Values<'_>) -> Option<Conflict> {
    let most = OwnPattern::MAX_COUNT;
    let count = values.get("patterns").and_then(|patterns| patterns.as_array()).map_or(0, Vec::len);
    if count > most {
        return Some(("patterns", format!("{count} patterns are too many; expected at most {most}")));
    }
    let has_keys = values.get("pseudonymize").is_some();
    let file = values.key("pseudonym_key_file");
    (has_keys && values.get("pseudonym_key").is_none()).then(|| ("pseudonymize", format!("{file} is not set")))
}

section! {
    /// The switches of the built-in patterns.
    #[derive(Copy)]
    pub struct PatternSettings {
        /// redact credentials after the word Bearer, in any text
        #[setting(Bool, default = true)]
        pub bearer: bool,
        /// redact JSON Web Tokens, in any text
        #[setting(Bool, default = true)]
        pub jwt: bool,
        /// redact card numbers: 13 to 19 digits in the ranges, lengths and groups of the issuers that pass the Luhn check, in any text
        #[setting(Bool, default = true)]
        pub card: bool,
        /// redact private key blocks, in any text
        #[setting(Bool, default = true)]
        pub private_key: bool,
        /// redact the private members of JSON Web Keys, in any text
        #[setting(Bool, default = true)]
        pub jwk: bool,
        /// redact secret keys of age (AGE-SECRET-KEY-1), in any text
        #[setting(Bool, default = true)]
        pub age: bool,
        /// redact access key ids of AWS (AKIA, ASIA), in any text
        #[setting(Bool, default = true)]
        pub aws: bool,
        /// redact keys and signatures of Azure (AccountKey=, SharedAccessKey=, sig=), in any text
        #[setting(Bool, default = true)]
        pub azure: bool,
        /// redact API keys and OAuth tokens of Google (AIza, ya29., GOCSPX-), in any text
        #[setting(Bool, default = true)]
        pub google: bool,
        /// redact tokens of GitHub (ghp_, github_pat_), in any text
        #[setting(Bool, default = true)]
        pub github: bool,
        /// redact tokens of GitLab (glpat-), in any text
        #[setting(Bool, default = true)]
        pub gitlab: bool,
        /// redact tokens of npm (npm_), in any text
        #[setting(Bool, default = true)]
        pub npm: bool,
        /// redact tokens of PyPI (pypi-), in any text
        #[setting(Bool, default = true)]
        pub pypi: bool,
        /// redact tokens and webhooks of Slack (xoxb-, hooks.slack.com), in any text
        #[setting(Bool, default = true)]
        pub slack: bool,
        /// redact tokens of Telegram bots, in any text
        #[setting(Bool, default = true)]
        pub telegram: bool,
        /// redact API keys of Twilio (SK), in any text
        #[setting(Bool, default = true)]
        pub twilio: bool,
        /// redact API keys of SendGrid (SG.), in any text
        #[setting(Bool, default = true)]
        pub sendgrid: bool,
        /// redact secret keys of Stripe (sk_live_, rk_live_, whsec_), in any text
        #[setting(Bool, default = true)]
        pub stripe: bool,
        /// redact API keys of OpenAI (sk-), in any text
        #[setting(Bool, default = true)]
        pub openai: bool,
        /// redact API keys of Anthropic (sk-ant-), in any text
        #[setting(Bool, default = true)]
        pub anthropic: bool,
        /// redact social security numbers of the United States with hyphens, in any text
        #[setting(Bool, default = true)]
        pub ssn: bool,
    }
}

impl From<PatternSettings> for Patterns {
    fn from(on: PatternSettings) -> Self {
        Self {
            bearer: on.bearer,
            jwt: on.jwt,
            card: on.card,
            private_key: on.private_key,
            jwk: on.jwk,
            age: on.age,
            aws: on.aws,
            azure: on.azure,
            google: on.google,
            github: on.github,
            gitlab: on.gitlab,
            npm: on.npm,
            pypi: on.pypi,
            slack: on.slack,
            telegram: on.telegram,
            twilio: on.twilio,
            sendgrid: on.sendgrid,
            stripe: on.stripe,
            openai: on.openai,
            anthropic: on.anthropic,
            ssn: on.ssn,
        }
    }
}
