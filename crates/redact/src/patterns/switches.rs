//! The switches of the patterns.

/// The enabled patterns; by default all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub struct Patterns {
    /// The token after the word `Bearer`.
    pub bearer: bool,
    /// JSON Web Tokens: `eyJ….….…`.
    pub jwt: bool,
    /// Card numbers of the known issuers' ranges and lengths with a valid check digit (Luhn), together or in groups.
    pub card: bool,
    /// Private keys: PEM and PGP blocks from `-----BEGIN … PRIVATE KEY` to their end.
    pub private_key: bool,
    /// The private members of JSON Web Keys, in a text.
    pub jwk: bool,
    /// Secret keys of age: `AGE-SECRET-KEY-1…`.
    pub age: bool,
    /// Access key ids of AWS: `AKIA…`, `ASIA…`.
    pub aws: bool,
    /// Account keys and signatures of Azure: `AccountKey=`, `SharedAccessKey=`, `sig=`.
    pub azure: bool,
    /// API keys and OAuth tokens of Google: `AIza…`, `ya29.…`, `GOCSPX-…`.
    pub google: bool,
    /// Tokens of GitHub: `ghp_…`, `github_pat_…`.
    pub github: bool,
    /// Tokens of GitLab: `glpat-…`.
    pub gitlab: bool,
    /// Tokens of npm: `npm_…`.
    pub npm: bool,
    /// Tokens of PyPI: `pypi-AgE…`.
    pub pypi: bool,
    /// Tokens and webhooks of Slack: `xoxb-…`, `hooks.slack.com/services/…`.
    pub slack: bool,
    /// Tokens of Telegram bots: `123456789:AA…`.
    pub telegram: bool,
    /// API keys of Twilio: `SK…`.
    pub twilio: bool,
    /// API keys of SendGrid: `SG.….…`.
    pub sendgrid: bool,
    /// Secret keys of Stripe: `sk_live_…`, `rk_live_…`, `whsec_…`.
    pub stripe: bool,
    /// API keys of OpenAI: `sk-…`.
    pub openai: bool,
    /// API keys of Anthropic: `sk-ant-…`.
    pub anthropic: bool,
    /// Social security numbers of the United States with hyphens.
    pub ssn: bool,
}

impl Patterns {
    /// All of them, or none.
    #[must_use]
    pub const fn all(on: bool) -> Self {
        Self {
            bearer: on,
            jwt: on,
            card: on,
            private_key: on,
            jwk: on,
            age: on,
            aws: on,
            azure: on,
            google: on,
            github: on,
            gitlab: on,
            npm: on,
            pypi: on,
            slack: on,
            telegram: on,
            twilio: on,
            sendgrid: on,
            stripe: on,
            openai: on,
            anthropic: on,
            ssn: on,
        }
    }
}

impl Default for Patterns {
    fn default() -> Self {
        Self::all(true)
    }
}
