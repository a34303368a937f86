//! The settings `log.redact.*`.

use cyanotype_redact::{OwnPattern, Patterns};
use cyanotype_settings::{Conflict, Values, section};

section! {
    /// The settings `log.redact.*`: patterns that are redacted in any text.
    pub struct RedactSettings {
        /// The switches of the built-in patterns.
        #[serde(flatten)]
        #[setting(section)]
        pub looks: PatternSettings,
        /// own regular expressions (syntax of the Rust crate regex) of at most 1,000 bytes each, at most 32, that are redacted
        /// in any text: their first group, otherwise the whole match; an environment variable separates them by commas, so one
        /// that contains a comma must be in a file; with any, each text is searched in full
        #[serde(default)]
        #[setting(List, check = check_pattern)]
        patterns: Vec<String>,
    }
    validate_combination = are_few;
}

impl RedactSettings {
    /// The own patterns.
    pub(super) fn own_patterns(&self) -> Vec<OwnPattern> {
        let compile = |pattern: &String| OwnPattern::new(pattern).expect("a setting's value was checked");
        self.patterns.iter().map(compile).collect()
    }
}

fn check_pattern(pattern: &str) -> Result<(), String> {
    OwnPattern::new(pattern).map(drop).map_err(|error| error.to_string())
}

fn are_few(values: &Values<'_>) -> Option<Conflict> {
    let count = values.get("patterns")?.as_array()?.len();
    let most = OwnPattern::MAX_COUNT;
    (count > most).then(|| ("patterns", format!("{count} patterns are too many; expected at most {most}")))
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
