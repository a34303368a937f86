//! Every setting there is: its name, what it takes, what it is when nobody says, and what it is for.
//!
//! The loader checks against this list, `app config` prints by it, and the settings reference is generated from it.

use crate::record::Level;

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Takes {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// Any text.
    Text,
    /// A text that is shown to nobody.
    Secret,
    /// A web address that may hold credentials: its user and password are shown to nobody.
    Url,
    /// A whole number between the two, both included.
    Whole(u64, u64),
    /// A number between the two, both included.
    Number(f64, f64),
    /// A list of texts: an array in TOML, separated by commas elsewhere.
    List,
}

impl Takes {
    /// What is allowed, as the end of a sentence that begins "allowed is …".
    pub fn allowed(self) -> String {
        match self {
            Takes::OneOf(words) => format!("one of {}", words.join(", ")),
            Takes::Switch => "true or false".into(),
            Takes::Text | Takes::Secret => "a text".into(),
            Takes::Url => "a URL".into(),
            Takes::Whole(low, high) if high == u64::MAX => format!("a whole number from {low}"),
            Takes::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Takes::Number(low, high) => format!("a number from {low} to {high}"),
            Takes::List => "a list of texts, separated by commas".into(),
        }
    }
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub key: &'static str,
    pub takes: Takes,
    /// `None`: not set unless somebody sets it.
    pub default: Option<&'static str>,
    pub about: &'static str,
    /// An environment variable that sets it by its usual name, beside `APP__…`.
    pub usual_name: Option<&'static str>,
}

/// A setting that goes by no other name. A blueprint's own has a key below `blueprints.<its name>`.
#[must_use]
pub const fn setting(key: &'static str, takes: Takes, default: Option<&'static str>, about: &'static str) -> Setting {
    Setting { key, takes, default, about, usual_name: None }
}

const fn named(usual_name: &'static str, setting: Setting) -> Setting {
    Setting { usual_name: Some(usual_name), ..setting }
}

const LEVEL: Takes = Takes::OneOf(&Level::NAMES);
const ANY: u64 = u64::MAX;

/// The settings whose last word is free: `log.levels.<module>`.
pub const MODULE_LEVEL: Setting = setting(
    "log.levels.<module>",
    LEVEL,
    None,
    "a level of its own for the logger lines of one crate or module; the longest name that fits wins; actix_server has \
     warning, or log.level if that is higher, unless it is set here; a part MODULE=LEVEL of RUST_LOG sets it below the files",
);

/// What can be set for every blueprint, below `blueprints.<its name>`.
pub const OF_EVERY_BLUEPRINT: &[Setting] = &[
    setting(
        "log.level",
        LEVEL,
        None,
        "the level of its crate's logger lines, as log.levels has it for any crate; that of log.levels wins",
    ),
    setting(
        "log.response.body",
        Takes::OneOf(&["off", "metadata", "redacted"]),
        None,
        "the most that is recorded of its responses; log.response.body can only be for less",
    ),
    setting(
        "rate_limit.requests",
        Takes::Whole(0, 1_000_000),
        None,
        "requests that one client may make to all of its routes together in rate_limit.window_s, counted beside \
         server.rate_limit; 0 is no limit; the blueprint's own when not set",
    ),
    setting(
        "rate_limit.window_s",
        Takes::Whole(1, 86400),
        None,
        "seconds that rate_limit.requests is for; the blueprint's own, or 60, when not set",
    ),
    setting(
        "rate_limit.burst",
        Takes::Whole(1, 100_000),
        None,
        "requests that one client may make to it at once; as many as rate_limit.requests when not set",
    ),
    setting(
        "rate_limit.routes",
        Takes::List,
        None,
        "limits of single routes, counted too: the route as `app routes` lists it, the requests and the seconds, as in \
         `POST /users/login 10/60`; without a method for all of them together; 0 requests are no limit",
    ),
];

/// Every other setting.
pub const SETTINGS: &[Setting] = &[
    setting(
        "env",
        Takes::OneOf(&["dev", "prod"]),
        Some("prod"),
        "stack traces, the log's format and what an error answer reveals",
    ),
    setting("server.host", Takes::Text, Some("127.0.0.1"), "the address the API listens on"),
    named(
        "PORT",
        setting("server.port", Takes::Whole(0, 65535), Some("8080"), "the port the API listens on; 0 takes a free one"),
    ),
    setting("server.workers", Takes::Whole(1, 1024), None, "worker threads; one per core when not set"),
    setting(
        "server.shutdown_timeout_s",
        Takes::Whole(1, 3600),
        Some("8"),
        "seconds from SIGTERM to the end, requests in hand and both sinks included",
    ),
    setting(
        "server.trusted_proxies",
        Takes::List,
        None,
        "addresses or networks (10.0.0.0/8) of the proxies in front, whose server.client_address_header is believed",
    ),
    setting(
        "server.client_address_header",
        Takes::OneOf(&["x-forwarded-for", "forwarded", "x-real-ip", "none"]),
        Some("x-forwarded-for"),
        "the one header in which server.trusted_proxies send the client's address; read from right to left up to the first \
         address that is not a trusted proxy; name the header that the proxy itself sets, because proxies forward all others \
         unchanged; without trusted proxies all clients behind one share its address, for limits and for logins alike",
    ),
    setting(
        "server.max_body_bytes",
        Takes::Whole(1, ANY),
        Some("1048576"),
        "the largest request body that is read, in bytes; more is answered 413",
    ),
    setting(
        "server.trailing_slash",
        Takes::OneOf(&["strict", "redirect", "equal"]),
        Some("strict"),
        "what `/orders/` is where there is only `/orders`: strict answers 404, redirect 308, equal as for `/orders`",
    ),
    setting(
        "server.request_timeout_s",
        Takes::Whole(1, 3600),
        Some("10"),
        "seconds a client has to send its request's head, and again its body; later is answered 408",
    ),
    setting(
        "server.handler_timeout_s",
        Takes::Whole(0, 86400),
        Some("30"),
        "seconds a handler has to begin its answer, what it reads of the request's body included; then it is ended and \
         answered 503, a failure like others; 0 lets it take any time",
    ),
    setting(
        "server.compression",
        Takes::Switch,
        Some("true"),
        "whether answers are compressed as their clients accept it (brotli, gzip, zstd); off where a proxy in front does it",
    ),
    setting(
        "server.security_headers",
        Takes::Switch,
        Some("true"),
        "whether every answer forbids browsers to guess its type, frame it, load anything by it, tell where they came from \
         and store it; a handler's own header wins",
    ),
    setting(
        "server.hsts_max_age_s",
        Takes::Whole(0, ANY),
        Some("0"),
        "seconds for which browsers shall ask for this host by HTTPS alone (`strict-transport-security`); 0 says nothing of \
         it; needs server.security_headers",
    ),
    setting(
        "server.cors.origins",
        Takes::List,
        None,
        "the origins (https://shop.example) whose pages may call the API from a browser; `*` is any; without one there are no \
         CORS headers",
    ),
    setting(
        "server.cors.max_age_s",
        Takes::Whole(0, 86400),
        Some("3600"),
        "seconds that a browser may keep the answer to a preflight",
    ),
    setting(
        "server.cors.credentials",
        Takes::Switch,
        Some("false"),
        "whether pages may send cookies and the like with their calls; not with `*`",
    ),
    setting(
        "server.rate_limit.requests",
        Takes::Whole(0, 1_000_000),
        Some("0"),
        "requests that one client may make in server.rate_limit.window_s, in the long run; one more is answered 429; a client \
         is an address, of IPv6 a /64; each process counts its own; 0 is no limit",
    ),
    setting(
        "server.rate_limit.window_s",
        Takes::Whole(1, 86400),
        Some("60"),
        "seconds that server.rate_limit.requests is for",
    ),
    setting(
        "server.rate_limit.burst",
        Takes::Whole(1, 100_000),
        None,
        "requests that a client may make at once; as many as server.rate_limit.requests when not set",
    ),
    setting(
        "server.docs",
        Takes::Switch,
        Some("true"),
        "whether the API document is served at /openapi.json, and as pages at /docs",
    ),
    setting(
        "server.public_url",
        Takes::Text,
        None,
        "the URL at which clients reach the API (https://api.shop.example), the server in the API document; without it clients \
         use the address that the document came from",
    ),
    setting("management.host", Takes::Text, Some("127.0.0.1"), "the address of the health checks"),
    setting(
        "management.port",
        Takes::Whole(0, 65535),
        Some("8081"),
        "the port of the health checks; 0 takes a free one",
    ),
    setting("log.mode", Takes::OneOf(&["off", "stderr", "sentry", "both"]), Some("both"), "which sinks there are"),
    setting(
        "log.level",
        LEVEL,
        Some("info"),
        "what a logger says below it reaches no sink; a part LEVEL of RUST_LOG sets it below the files",
    ),
    setting(
        "log.format",
        Takes::OneOf(&["auto", "json", "pretty"]),
        Some("auto"),
        "how a record is written; auto is json in prod and pretty in dev",
    ),
    setting(
        "log.response.body",
        Takes::OneOf(&["off", "metadata", "redacted"]),
        Some("redacted"),
        "what is recorded of a response: nothing, all but its content, or its redacted content too",
    ),
    setting(
        "log.response.max_bytes",
        Takes::Whole(0, 1 << 24),
        Some("8192"),
        "the longest content that is recorded, in bytes",
    ),
    setting(
        "log.response.body_from_status",
        Takes::Whole(100, 599),
        Some("100"),
        "the content of responses is recorded from this status up; of the others all but their content is",
    ),
    setting(
        "log.response.sample_rate",
        Takes::Number(0.0, 1.0),
        Some("1.0"),
        "the share of successful requests whose responses are recorded; a request of status 400 and up, one that failed \
         and one that its client left always is",
    ),
    setting("log.response.redact", Takes::List, None, "more keys whose values are never recorded"),
    setting(
        "log.request.body",
        Takes::OneOf(&["off", "metadata", "redacted"]),
        Some("off"),
        "what the record of a response tells of the request's body: nothing, its type and size, or its redacted content \
         too",
    ),
    setting(
        "log.request.max_bytes",
        Takes::Whole(0, 1 << 24),
        Some("8192"),
        "the longest content of a request that is recorded, in bytes",
    ),
    setting("log.redact.bearer", Takes::Switch, Some("true"), "redact what follows the word Bearer, in any text"),
    setting("log.redact.jwt", Takes::Switch, Some("true"), "redact JSON Web Tokens, in any text"),
    setting(
        "log.redact.card",
        Takes::Switch,
        Some("true"),
        "redact card numbers, in any text: 13 to 19 digits that begin with 2 to 6 and pass Luhn's check",
    ),
    setting("log.redact.private_key", Takes::Switch, Some("true"), "redact blocks of private keys, in any text"),
    setting(
        "log.flood.limit",
        Takes::Whole(1, ANY),
        Some("100"),
        "reports of one failure (type, message and route) that are told in log.flood.window_s; of the others their count is, \
         on stderr and in Sentry; capture_event is exempt",
    ),
    setting("log.flood.window_s", Takes::Whole(1, 3600), Some("10"), "seconds that log.flood.limit is for"),
    setting(
        "log.stderr.queue_bytes",
        Takes::Whole(65536, 1 << 30),
        Some("8388608"),
        "bytes that may wait for a slow reader of stderr; what does not fit is counted",
    ),
    named("SENTRY_DSN", setting("sentry.dsn", Takes::Secret, None, "where Sentry is; without it there is no Sentry")),
    named(
        "SENTRY_ENVIRONMENT",
        setting("sentry.environment", Takes::Text, None, "the environment events are filed under; `env` when not set"),
    ),
    named(
        "SENTRY_RELEASE",
        setting("sentry.release", Takes::Text, None, "the release events are filed under; name@version when not set"),
    ),
    setting("sentry.breadcrumb_level", LEVEL, Some("info"), "logger lines and responses from it up are breadcrumbs"),
    setting("sentry.event_level", LEVEL, Some("error"), "logger lines from it up are events, not breadcrumbs"),
    setting(
        "sentry.max_breadcrumbs",
        Takes::Whole(0, 1000),
        Some("100"),
        "the newest breadcrumbs that an event carries",
    ),
    setting("sentry.sample_rate", Takes::Number(0.0, 1.0), Some("1.0"), "the share of events that are sent"),
    setting(
        "sentry.traces_sample_rate",
        Takes::Number(0.0, 1.0),
        Some("0"),
        "the share of requests that are sent as transactions",
    ),
    setting(
        "sentry.spool_dir",
        Takes::Text,
        None,
        "a directory for events that cannot be sent at once, made when it is missing; several processes may share it; \
         without it such events go to stderr in full",
    ),
    setting(
        "sentry.spool_max_bytes",
        Takes::Whole(0, ANY),
        Some("67108864"),
        "bytes that the spool may hold; the oldest events make room",
    ),
    setting(
        "sentry.spool_max_age_s",
        Takes::Whole(1, ANY),
        Some("604800"),
        "seconds that an event may wait in the spool",
    ),
    named(
        "DATABASE_URL",
        setting(
            "database.url",
            Takes::Url,
            Some("sqlite://data/cyanotype.db"),
            "the database; sqlite://PATH is embedded and is made when missing, \
             postgres://USER:PASSWORD@HOST:PORT/DATABASE is for several machines; what such a URL leaves out is taken from \
             the PG… variables",
        ),
    ),
    setting(
        "database.max_connections",
        Takes::Whole(1, 10_000),
        Some("8"),
        "the most connections of this process to PostgreSQL; SQLite has one that writes, and one a thread that reads",
    ),
    setting(
        "database.min_connections",
        Takes::Whole(0, 10_000),
        Some("0"),
        "connections to PostgreSQL that are kept open, used or not; no more than database.max_connections",
    ),
    setting(
        "database.acquire_timeout_s",
        Takes::Whole(1, 3600),
        Some("6"),
        "seconds that a request waits for a connection, or on SQLite for its turn to write, and a start for the first one",
    ),
    setting(
        "database.idle_timeout_s",
        Takes::Whole(0, 86_400),
        Some("600"),
        "seconds after which a connection to PostgreSQL that nobody uses is closed; 0 keeps it",
    ),
    setting(
        "database.statement_timeout_s",
        Takes::Whole(0, 86_400),
        Some("20"),
        "seconds that PostgreSQL has to answer a statement before its connection is given up; 0 for any time",
    ),
    setting(
        "database.sweep_interval_s",
        Takes::Whole(1, 86_400),
        Some("60"),
        "seconds between two deletions of expired sessions and idempotency keys; one process at a time does it",
    ),
    setting("blueprints.enabled", Takes::List, None, "the blueprints that this process serves; all when not set"),
];

/// The setting of that name, if there is one.
pub fn find(key: &str) -> Option<&'static Setting> {
    if key.strip_prefix("log.levels.").is_some_and(|module| !module.is_empty() && !module.contains('.')) {
        return Some(&MODULE_LEVEL);
    }
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The known name nearest to a mistyped one, for a hint.
pub fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a Setting>) -> Option<&'static str> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    known
        .map(|setting| setting.key)
        .map(|known| {
            let whole = strsim::levenshtein(key, known);
            // The right name in the wrong section is near too.
            (if last(key) == last(known) { whole.min(2) } else { whole }, known)
        })
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_finds_its_neighbour() {
        let nearest = |key| nearest(key, SETTINGS.iter());
        assert_eq!(nearest("log.mod"), Some("log.mode"));
        assert_eq!(nearest("log.queue_bytes"), Some("log.stderr.queue_bytes"));
        assert_eq!(nearest("colour"), None);
    }
}
