//! What an operator can set.
//!
//! [`Loader`] merges the layers, later ones winning: built-in defaults, `RUST_LOG`, `config/default.toml`,
//! `config/{env}.toml`, the variables with usual names (`SENTRY_DSN`, `DATABASE_URL`, `PORT` …), `APP__LOG__MODE` and its
//! like, and flags. A setting that is wrong or unknown stops the start with a message that names the key, where it was set
//! and what is allowed. Other variables that look as if they were meant for a setting are warnings.

mod blueprints;
mod check;
mod cors;
mod layers;
mod near_misses;
mod rate_limits;
mod rust_log;
mod sections;
pub mod spec;

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

pub use blueprints::BlueprintSettings;
pub(crate) use blueprints::{Owner, Section};
pub use sections::{
    Blueprints, ClientAddressHeader, Cors, Database, Env, Flood, Format, Log, Management, Mode, Network, Patterns,
    RateLimit, Request, Response, ResponseLog, Sentry, Server, Stderr, TrailingSlash,
};

use layers::Leaf;
use spec::{SETTINGS, Setting, Takes};

/// The settings in force, one section a field.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    pub env: Env,
    pub server: Server,
    pub management: Management,
    pub log: Log,
    pub sentry: Sentry,
    pub database: Database,
    #[serde(default)]
    pub blueprints: Blueprints,
    /// Each setting in force with where it was set, for `app config`.
    #[serde(skip)]
    pub origins: Vec<Origin>,
    /// What each layer sets below `blueprints.<a name>`, checked once the blueprints are known.
    #[serde(skip)]
    sections: Vec<Vec<Leaf>>,
    /// What the environment was probably meant to set and does not, for the start record.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// One setting in force, and the layer that set it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    pub key: String,
    /// What a person may see of the value: secrets are masked.
    pub value: String,
    /// `default`, a file, an environment variable or a flag.
    pub set_by: String,
}

/// Settings that cannot be used: one line for each that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for SettingsError {}

/// Gathers the layers.
///
/// ```
/// use cyanotype::settings::{Loader, Mode};
///
/// let settings = Loader::new("/no/such/directory")
///     .variables([("APP__LOG__MODE", "stderr")])
///     .flag("log.level", "warning", "--level")
///     .load()?;
/// assert_eq!(settings.log.mode, Mode::Stderr);
///
/// let error = Loader::new("/no/such/directory").variables([("APP__LOG__MODE", "loud")]).load().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "log.mode (set by APP__LOG__MODE): `loud` is not allowed; allowed is one of off, stderr, sentry, both"
/// );
/// # Ok::<(), cyanotype::settings::SettingsError>(())
/// ```
#[derive(Debug, Default)]
pub struct Loader {
    directory: PathBuf,
    environment: Vec<(String, String)>,
    flags: Vec<Leaf>,
}

impl Loader {
    /// `directory` holds `default.toml`, `dev.toml` and `prod.toml`; any of them, and the directory, may be missing.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), ..Self::default() }
    }

    /// The environment variables to read: the known ones and `APP__…`. Of others, near misses are warnings.
    #[must_use]
    pub fn variables<K: Into<String>, V: Into<String>>(mut self, all: impl IntoIterator<Item = (K, V)>) -> Self {
        self.environment.extend(all.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// The environment variables of this process.
    #[must_use]
    pub fn process_environment(self) -> Self {
        // What is no UTF-8 is read as well as can be, and refused where it is a setting's.
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        self.variables(std::env::vars_os().map(|(key, value)| (text(key), text(value))))
    }

    /// A setting from the command line; `flag` is its name there.
    #[must_use]
    pub fn flag(mut self, key: &str, text: &str, flag: &str) -> Self {
        self.flags.push(Leaf::new(key, text, flag));
        self
    }

    /// Merges and checks.
    ///
    /// # Errors
    /// A file that is no TOML, an unknown key, or a value that its setting does not take.
    pub fn load(&self) -> Result<Settings, SettingsError> {
        let one = |problem| SettingsError(vec![problem]);
        let (rust_log, mut warnings) = rust_log::read(&self.environment);
        warnings.extend(near_misses::warnings(&self.environment));
        let below = [layers::defaults(SETTINGS), rust_log, layers::file(&self.directory, "default.toml").map_err(one)?];
        let variables = layers::app_variables(&self.environment).map_err(one)?;
        let above = [layers::usual_names(&self.environment), variables, self.flags.clone()];
        let all = |of_env: Vec<Leaf>| below.iter().cloned().chain([of_env]).chain(above.iter().cloned());
        // Which environment's file to read is itself a setting. Any other name is refused when the values are checked.
        let (set, _) = layers::merged(all(Vec::new()), spec::find);
        let env = set.iter().find(|(leaf, _)| leaf.key == "env").and_then(|(leaf, _)| leaf.text());
        let of_env = match env.map(str::trim) {
            Some(env @ ("dev" | "prod")) => layers::file(&self.directory, &format!("{env}.toml")).map_err(one)?,
            _ => Vec::new(),
        };
        let settings = check(all(of_env))?;
        Ok(Settings { warnings, ..settings })
    }
}

fn check(layers: impl Iterator<Item = Vec<Leaf>>) -> Result<Settings, SettingsError> {
    let is_of_a_blueprint = |leaf: &Leaf| leaf.key.strip_prefix("blueprints.").is_some_and(|rest| rest.contains('.'));
    let (sections, layers): (Vec<Vec<Leaf>>, Vec<Vec<Leaf>>) =
        layers.map(|layer| layer.into_iter().partition(is_of_a_blueprint)).unzip();
    let (in_force, unknown) = layers::merged(layers, spec::find);
    let mut wrong = Vec::new();
    for leaf in unknown {
        let near = spec::nearest(&leaf.key, SETTINGS.iter()).map(str::to_owned);
        wrong.push(format!("{} (set by {}): {}", leaf.key, leaf.origin, layers::unknown(near)));
    }
    let mut tree = serde_json::Value::Object(serde_json::Map::new());
    let mut origins = Vec::new();
    for (leaf, setting) in in_force {
        let problem = match layers::checked(&leaf, setting) {
            // An empty list is no value.
            Ok(serde_json::Value::Array(items)) if items.is_empty() => continue,
            Ok(value) => match check::beyond_type(&leaf.key, &value) {
                None => {
                    origins.push(Origin {
                        value: shown(setting, &value),
                        key: leaf.key.clone(),
                        set_by: leaf.origin.clone(),
                    });
                    place(&mut tree, &leaf.key, value);
                    continue;
                }
                Some(problem) => problem,
            },
            Err(problem) => problem,
        };
        wrong.push(format!("{} (set by {}): {problem}", leaf.key, leaf.origin));
    }
    wrong.extend(check::together(&tree, &origins));
    wrong.extend(cors::together(&tree, &origins));
    if !wrong.is_empty() {
        return Err(SettingsError(wrong));
    }
    let settings = serde_path_to_error::deserialize::<_, Settings>(tree);
    let mut settings = settings.map_err(|error| SettingsError(vec![format!("{}: {}", error.path(), error.inner())]))?;
    (settings.origins, settings.sections) = (origins, sections);
    Ok(settings)
}

/// Puts a value at its dotted key. A module's name may hold `::` but no dot.
fn place(tree: &mut serde_json::Value, key: &str, value: serde_json::Value) {
    let mut at = tree;
    for name in key.split('.') {
        at = &mut at[name];
    }
    *at = value;
}

fn shown(setting: &Setting, value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    match setting.takes {
        Takes::Secret | Takes::Url => mask(&text),
        _ => text,
    }
}

/// A URL without its user, password and query: `https://[redacted]@sentry.example/7`.
fn mask(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "[redacted]".into() };
    let rest = rest.split_once('?').map_or_else(|| rest.to_owned(), |(rest, _)| format!("{rest}?[redacted]"));
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://[redacted]@{place}"),
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::Level;

    fn load(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Loader::new("/nonexistent").variables(variables.iter().copied()).load()
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        load(variables).map(|_| ()).expect_err("refused").to_string()
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = load(&[]).expect("the defaults are good");
        assert_eq!((settings.env, settings.log.mode, settings.log.level), (Env::Prod, Mode::Both, Level::Info));
        assert_eq!((settings.server.host.as_str(), settings.server.port), ("127.0.0.1", 8080));
        assert_eq!((settings.management.port, settings.server.shutdown_timeout().as_secs()), (8081, 8));
        assert_eq!((settings.log.response.max_bytes, settings.log.stderr.queue_bytes), (8192, 8 << 20));
        assert_eq!((settings.sentry.max_breadcrumbs, settings.sentry.spool_max_bytes), (100, 64 << 20));
        assert!(settings.sentry.dsn.is_none() && settings.blueprints.enabled.is_none());
    }

    #[test]
    fn later_layers_win_and_are_named() {
        let settings = Loader::new("/nonexistent")
            .variables([("PORT", "1111"), ("APP__SERVER__PORT", "2222")])
            .flag("server.port", "3333", "--port")
            .load()
            .expect("good settings");
        assert_eq!(settings.server.port, 3333);
        let origin = settings.origins.iter().find(|origin| origin.key == "server.port").expect("is set");
        assert_eq!((origin.value.as_str(), origin.set_by.as_str()), ("3333", "--port"));
    }

    #[test]
    fn an_empty_value_is_no_value() {
        let settings = load(&[("SENTRY_DSN", ""), ("APP__LOG__MODE", " ")]).expect("good settings");
        assert!(settings.sentry.dsn.is_none());
        assert_eq!(settings.log.mode, Mode::Both);
    }

    #[test]
    fn a_text_that_looks_like_a_number_stays_a_text() {
        let settings = load(&[("SENTRY_RELEASE", "1.10")]).expect("good settings");
        assert_eq!(settings.sentry.release.as_deref(), Some("1.10"));
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let settings = load(&[("APP__LOG__RESPONSE__REDACT", "email, phone")]).expect("good settings");
        assert_eq!(settings.log.response.redact, ["email", "phone"]);
    }

    #[test]
    fn a_module_has_a_level_of_its_own() {
        let settings = load(&[("APP__LOG__LEVELS__HYPER_UTIL", "debug")]).expect("good settings");
        assert_eq!(settings.log.levels["hyper_util"], Level::Debug);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_layer_and_the_mend() {
        for (variable, value, expected) in [
            (
                "APP__SERVER__PORT",
                "80a",
                "server.port (set by APP__SERVER__PORT): `80a` is not allowed; allowed is a whole number from 0 to 65535",
            ),
            (
                "PORT",
                "70000",
                "server.port (set by PORT): `70000` is not allowed; allowed is a whole number from 0 to 65535",
            ),
            (
                "APP__SENTRY__SAMPLE_RATE",
                "2",
                "sentry.sample_rate (set by APP__SENTRY__SAMPLE_RATE): `2` is not allowed; allowed is a number from 0 to 1",
            ),
            (
                "APP__LOG__MODUS",
                "off",
                "log.modus (set by APP__LOG__MODUS): there is no such setting; did you mean log.mode?",
            ),
            (
                "APP__SERVER__TRUSTED_PROXIES",
                "10.0.0.0/99",
                "server.trusted_proxies (set by APP__SERVER__TRUSTED_PROXIES): `10.0.0.0/99` is neither an address nor a network such as 10.0.0.0/8",
            ),
            (
                "APP__SERVER__CORS__ORIGINS",
                "https://shop.example, https://shop.example/",
                "server.cors.origins (set by APP__SERVER__CORS__ORIGINS): `https://shop.example/` is no origin; allowed is `*`, or SCHEME://HOST[:PORT] in lower case, such as https://shop.example",
            ),
            (
                "APP__SERVER__CORS__ORIGINS",
                "*, https://shop.example",
                "server.cors.origins (set by APP__SERVER__CORS__ORIGINS): `*` is every origin; allowed is `*` alone, or a list without it",
            ),
            (
                "SENTRY_DSN",
                "https://sentry.example/1",
                "sentry.dsn (set by SENTRY_DSN): this DSN has no key; allowed is https://KEY@HOST/PROJECT",
            ),
        ] {
            assert_eq!(refusal(&[(variable, value)]), expected);
        }
    }

    #[test]
    fn a_refusal_repeats_no_secret() {
        assert!(!refusal(&[("SENTRY_DSN", "hunter2")]).contains("hunter2"));
        for url in [
            "mysql://root:hunter2@db/x",
            "postgres://ada:hunter2@db:port/x",
            "postgres://ada:12/hunter2@db/x",
            "postgres://ada:12?hunter2@db/x",
            "postgres://ada:12#hunter2@db/x",
            "postgres://ada@db/x?hunter2",
            "postgres://ada@db/x?sslmode=hunter2",
            "postgres:hunter2",
        ] {
            let refused = refusal(&[("DATABASE_URL", url)]);
            assert!(refused.starts_with("database.url (set by DATABASE_URL): "), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_database_is_sqlite_or_postgresql() {
        for url in [
            "sqlite::memory:",
            "sqlite://data/../a b.db",
            "sqlite:///srv/a.db?mode=rw",
            "postgres://db/shop",
            "postgresql://ada:p%40ss@[::1]:5433/shop?sslmode=require&application_name=shop",
            "postgres:///shop?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/shop",
        ] {
            let settings = load(&[("DATABASE_URL", url)]).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(settings.database.url, url);
        }
    }

    #[test]
    fn a_pool_keeps_no_more_connections_than_it_may_have() {
        let settings = load(&[]).expect("the defaults are good").database;
        assert_eq!((settings.min_connections, settings.max_connections), (0, 8));
        assert_eq!(
            (settings.acquire_timeout().as_secs(), settings.idle_timeout()),
            (6, Some(Duration::from_secs(600)))
        );
        let settings = load(&[("APP__DATABASE__IDLE_TIMEOUT_S", "0")]).expect("0 is allowed").database;
        assert_eq!(settings.idle_timeout(), None);
        assert_eq!(
            refusal(&[("APP__DATABASE__MIN_CONNECTIONS", "9")]),
            "database.min_connections (set by APP__DATABASE__MIN_CONNECTIONS): `9` is more than \
             database.max_connections, which is 8 (set by default)"
        );
    }

    #[test]
    fn secrets_are_masked() {
        assert_eq!(mask("https://abc@sentry.example/7"), "https://[redacted]@sentry.example/7");
        assert_eq!(mask("postgres://u:p@db/x?password=q"), "postgres://[redacted]@db/x?[redacted]");
        assert_eq!(mask("sqlite://data/a.db"), "sqlite://data/a.db");
    }
}
