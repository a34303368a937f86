//! The settings of a service. Each section is declared once, in its own file.
//!
//! [`Loader`] merges the layers, later ones winning: built-in defaults, `RUST_LOG`, `config/default.toml`,
//! `config/{env}.toml`, conventional variables (`SENTRY_DSN`, `DATABASE_URL`, `PORT` …), `APP__SECTION__KEY` variables such
//! as `APP__LOG__MODE`, and command-line flags. An invalid or unknown setting makes startup fail with a message that names the
//! key, where it was set, and what is allowed. Other variables that resemble a setting are reported as warnings.

mod blueprints;
mod config_files;
mod cors;
mod database;
mod flags;
mod listen_host;
mod management;
mod rate_limits;
mod server;

pub(crate) use blueprints::{
    BlueprintDeclaration, BlueprintValues, common_blueprint_settings, own_blueprint_settings, resolve,
};
pub use blueprints::{BlueprintSettings, Blueprints};
pub use config_files::ConfigFileSettings;
pub use cors::CorsSettings;
pub use cyanotype_actix::settings::{ClientAddressSettings, Network};
pub use cyanotype_redact::Patterns;
pub use cyanotype_settings::{
    Change, Changes, Fingerprint, Hidden, Origin, Schema, Section, Setting, SettingsError, SettingsProblem, ValueType,
    one_of, section,
};
pub use cyanotype_telemetry::request::ClientAddressHeader;
pub use cyanotype_telemetry::settings::{
    Color, Env, FloodSettings, LevelNames, LineSettings, LogFormat, LogSettings, Mode, OnFailureSettings,
    PatternSettings, PriorityPrefix, RedactSettings, RequestLogSettings, ResponseLog, ResponseLogSettings,
    Schema as LogSchema, SentrySettings, StderrSettings,
};
pub use database::DatabaseSettings;
pub use flags::{FlagProvider, FlagSettings};
pub use listen_host::ListenHost;
pub(crate) use listen_host::reachable;
pub use management::ManagementSettings;
pub use server::{RateLimitSettings, ServerSettings, TrailingSlash};

section! {
    /// The settings of a service.
    pub struct Sections {
        /// The environment of the service.
        #[setting(section)]
        pub env: Env,
        /// Watching the configuration files.
        #[setting(section)]
        pub config: ConfigFileSettings,
        /// The API server.
        #[setting(section)]
        pub server: ServerSettings,
        /// The management listener: health checks and log control.
        #[setting(section)]
        pub management: ManagementSettings,
        /// What is recorded, and in which form.
        #[setting(section)]
        pub log: LogSettings,
        /// The Sentry sink.
        #[setting(section)]
        pub sentry: SentrySettings,
        /// A feature-flag provider whose flags control logging.
        #[setting(section)]
        pub flags: FlagSettings,
        /// The database and its connections.
        #[setting(section)]
        pub database: DatabaseSettings,
        /// The blueprints that are served, and their settings.
        #[setting(section)]
        pub blueprints: Blueprints,
    }
}

/// The loaded settings of a service: one field per section, and the origin of each value.
pub type Settings = cyanotype_settings::Loaded<Sections>;

impl Sections {
    /// The settings of the sinks.
    pub(crate) fn telemetry(&self) -> cyanotype_telemetry::Settings {
        self.recorder().telemetry()
    }

    /// The settings of a [`Recorder`](crate::Recorder).
    pub(crate) fn recorder(&self) -> cyanotype_actix::Settings {
        cyanotype_actix::Settings {
            env: self.env,
            log: self.log.clone(),
            sentry: self.sentry.clone(),
            server: self.server.client_address.clone(),
        }
    }
}

/// Loads the settings of a service from their layers.
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
///     "log.mode (set by APP__LOG__MODE): `loud` is not allowed; expected one of off, stderr, sentry, both"
/// );
/// # Ok::<(), cyanotype::settings::SettingsError>(())
/// ```
pub type Loader = cyanotype_settings::Loader<Sections>;

/// All settings that do not belong to a blueprint; those with a placeholder in the key (`log.levels.<module>`) are last.
pub(crate) fn declared() -> Vec<Setting> {
    let mut settings = Schema::of::<Sections>().settings().to_vec();
    settings.sort_by_key(Setting::has_placeholder);
    settings
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use cyanotype_telemetry::Level;

    fn load(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Loader::new("/nonexistent").variables(variables.iter().copied()).load()
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        load(variables).map(|_| ()).expect_err("refused").to_string()
    }

    #[test]
    fn the_defaults_match_the_contract() {
        let settings = load(&[]).expect("valid defaults");
        assert_eq!((settings.env, settings.log.mode, settings.log.level), (Env::Prod, Mode::Both, Level::Info));
        assert_eq!((settings.server.host.as_str(), settings.server.port), ("127.0.0.1", 8080));
        assert_eq!((settings.management.port, settings.server.shutdown_timeout().as_secs()), (8081, 8));
        assert_eq!((settings.log.response.max_bytes, settings.log.stderr.queue_bytes), (8192, 8 << 20));
        assert_eq!((settings.sentry.max_breadcrumbs, settings.sentry.spool_max_bytes), (100, 64 << 20));
        assert!(settings.sentry.dsn.is_none() && settings.blueprints.enabled.is_none());
        assert!(settings.management.token.is_none() && settings.management.socket.is_none());
        assert_eq!((settings.config.watch(), settings.log.on_failure.level()), (None, None));
        assert_eq!((settings.log.override_max().as_secs(), settings.log.override_poll().as_secs()), (86_400, 1));
        assert_eq!((settings.log.on_failure.max_bytes, settings.log.debug_key.as_ref()), (16_384, None));
    }

    #[test]
    fn a_later_layer_wins_and_is_the_origin() {
        let settings = Loader::new("/nonexistent")
            .variables([("PORT", "1111"), ("APP__SERVER__PORT", "2222")])
            .flag("server.port", "3333", "--port")
            .load()
            .expect("valid settings");
        assert_eq!(settings.server.port, 3333);
        let origin = settings.origins.iter().find(|origin| origin.key == "server.port").expect("is set");
        assert_eq!((origin.value.as_str(), origin.set_by.as_str()), ("3333", "--port"));
    }

    #[test]
    fn an_empty_value_counts_as_unset() {
        let settings = load(&[("SENTRY_DSN", ""), ("APP__LOG__MODE", " ")]).expect("valid settings");
        assert!(settings.sentry.dsn.is_none());
        assert_eq!(settings.log.mode, Mode::Both);
    }

    #[test]
    fn a_numeric_string_stays_a_string() {
        let settings = load(&[("SENTRY_RELEASE", "1.10")]).expect("valid settings");
        assert_eq!(settings.sentry.release.as_deref(), Some("1.10"));
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let settings = load(&[("APP__LOG__RESPONSE__REDACT", "email, phone")]).expect("valid settings");
        assert_eq!(settings.log.response.redact, ["email", "phone"]);
    }

    #[test]
    fn off_means_no_level() {
        for (value, expected) in
            Level::ALL.map(|level| (level.as_str(), Some(level))).into_iter().chain([("off", None)])
        {
            let settings = load(&[("APP__LOG__ON_FAILURE__LEVEL", value)]).expect("valid settings");
            assert_eq!(settings.log.on_failure.level(), expected);
        }
    }

    #[test]
    fn a_module_can_have_its_own_level() {
        let settings = load(&[("APP__LOG__LEVELS__HYPER_UTIL", "debug")]).expect("valid settings");
        assert_eq!(settings.log.levels["hyper_util"], Level::Debug);
    }

    #[test]
    fn an_error_names_the_key_the_layer_and_the_allowed_values() {
        for (variable, value, expected) in [
            (
                "APP__SERVER__PORT",
                "80a",
                "server.port (set by APP__SERVER__PORT): `80a` is not allowed; expected a whole number from 0 to 65535",
            ),
            (
                "PORT",
                "70000",
                "server.port (set by PORT): `70000` is not allowed; expected a whole number from 0 to 65535",
            ),
            (
                "APP__SENTRY__SAMPLE_RATE",
                "2",
                "sentry.sample_rate (set by APP__SENTRY__SAMPLE_RATE): `2` is not allowed; expected a number from 0 to 1",
            ),
            ("APP__LOG__MODUS", "off", "log.modus (set by APP__LOG__MODUS): unknown setting; did you mean log.mode?"),
            (
                "APP__SERVER__TRUSTED_PROXIES",
                "10.0.0.0/99",
                "server.trusted_proxies (set by APP__SERVER__TRUSTED_PROXIES): `10.0.0.0/99` is neither an address nor a network such as 10.0.0.0/8",
            ),
            (
                "APP__SERVER__CORS__ORIGINS",
                "https://shop.example, https://shop.example/",
                "server.cors.origins (set by APP__SERVER__CORS__ORIGINS): `https://shop.example/` is not an origin; expected `*`, or SCHEME://HOST[:PORT] in lower case, such as https://shop.example",
            ),
            (
                "APP__SERVER__CORS__ORIGINS",
                "*, https://shop.example",
                "server.cors.origins (set by APP__SERVER__CORS__ORIGINS): `*` already allows every origin; expected `*` alone, or a list without it",
            ),
            (
                "SENTRY_DSN",
                "https://sentry.example/1",
                "sentry.dsn (set by SENTRY_DSN): invalid DSN: it has no key; expected https://KEY@HOST/PROJECT",
            ),
            (
                "APP__MANAGEMENT__TOKEN",
                "letters",
                "management.token (set by APP__MANAGEMENT__TOKEN): the token is too short or contains invalid characters; expected 8 or more visible ASCII characters",
            ),
            (
                "APP__MANAGEMENT__TOKEN",
                "a token with spaces",
                "management.token (set by APP__MANAGEMENT__TOKEN): the token is too short or contains invalid characters; expected 8 or more visible ASCII characters",
            ),
            (
                "APP__LOG__DEBUG_KEY",
                "fifteen letters",
                "log.debug_key (set by APP__LOG__DEBUG_KEY): the key is shorter than 16 bytes; expected 16 bytes or more",
            ),
        ] {
            assert_eq!(refusal(&[(variable, value)]), expected);
        }
    }

    #[test]
    fn tokens_and_keys_of_minimum_length_are_accepted() {
        let set = [
            ("APP__MANAGEMENT__TOKEN", "8letters"),
            ("APP__LOG__DEBUG_KEY", "sixteen letters!"),
            ("APP__CONFIG__WATCH_S", "5"),
        ];
        let settings = load(&set).expect("valid settings");
        assert_eq!(settings.management.token.as_deref(), Some(set[0].1));
        assert_eq!(settings.log.debug_key.as_deref(), Some(set[1].1));
        assert_eq!(settings.config.watch(), Some(Duration::from_secs(5)));
        let shown = |key: &str| settings.origins.iter().find(|origin| origin.key == key).map(|it| it.value.as_str());
        assert_eq!([shown("management.token"), shown("log.debug_key")], [Some("[redacted]"); 2]);
    }

    #[test]
    fn an_error_message_contains_no_secret() {
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
    fn min_connections_cannot_exceed_max_connections() {
        let settings = load(&[]).expect("valid defaults").sections.database;
        assert_eq!((settings.min_connections, settings.max_connections), (0, 8));
        assert_eq!(
            (settings.acquire_timeout().as_secs(), settings.idle_timeout()),
            (6, Some(Duration::from_secs(600)))
        );
        let settings = load(&[("APP__DATABASE__IDLE_TIMEOUT_S", "0")]).expect("0 is allowed").sections.database;
        assert_eq!(settings.idle_timeout(), None);
        assert_eq!(
            refusal(&[("APP__DATABASE__MIN_CONNECTIONS", "9")]),
            "database.min_connections (set by APP__DATABASE__MIN_CONNECTIONS): `9` is more than \
             database.max_connections, which is 8 (set by default)"
        );
    }

    #[test]
    fn a_mistyped_key_gets_a_suggestion() {
        let refused = |key: &str| {
            let loader = Loader::new("/nonexistent").flag(key, "x", "--set");
            loader.load().map(|_| ()).expect_err("refused").to_string()
        };
        let none = "unknown setting";
        assert_eq!(refused("log.mod"), format!("log.mod (set by --set): {none}; did you mean log.mode?"));
        assert_eq!(
            refused("log.queue_bytes"),
            format!("log.queue_bytes (set by --set): {none}; did you mean log.stderr.queue_bytes?")
        );
        assert_eq!(refused("colour"), format!("colour (set by --set): {none}"));
    }

    fn meant_by(name: &str, value: &str) -> Option<String> {
        Schema::of::<Sections>().near_miss(name, value)
    }

    #[test]
    fn near_misses_in_the_environment_are_recognized() {
        for (name, expected) in [
            ("APP_LOG_MODE", "APP__LOG__MODE"),
            ("APP_LOG__MODE", "APP__LOG__MODE"),
            ("app__log__mode", "APP__LOG__MODE"),
            ("App__Log__Mode", "APP__LOG__MODE"),
            ("APPLOG_MODE", "APP__LOG__MODE"),
            ("app.log.mode", "APP__LOG__MODE"),
            ("LOG_LEVEL", "APP__LOG__LEVEL"),
            ("LOGLEVEL", "APP__LOG__LEVEL"),
            ("LOG_LEVELS", "APP__LOG__LEVEL"),
            ("LOG__MODE", "APP__LOG__MODE"),
            ("LOG_MODE", "APP__LOG__MODE"),
            ("SERVER_PORT", "APP__SERVER__PORT"),
            ("APP_SERVER_CORS_ORIGINS", "APP__SERVER__CORS__ORIGINS"),
            ("APP_ENV", "APP__ENV"),
            ("ENV", "APP__ENV"),
            ("SENTRY_SAMPLE_RATE", "APP__SENTRY__SAMPLE_RATE"),
            ("SENTRY_DNS", "SENTRY_DSN"),
            ("SENTRY_DNS_FILE", "SENTRY_DSN_FILE"),
            ("APP_DATABASE_URL_FILE", "APP__DATABASE__URL_FILE"),
            ("sentry_dsn", "SENTRY_DSN"),
            ("SENTRY_ENV", "SENTRY_ENVIRONMENT"),
            ("SENTRY_ENVIROMENT", "SENTRY_ENVIRONMENT"),
            ("APP_SENTRY_DSN", "APP__SENTRY__DSN"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("DATABASEURL", "DATABASE_URL"),
            ("APP_DATABASE_URL", "APP__DATABASE__URL"),
            ("RUSTLOG", "RUST_LOG"),
            ("rust_log", "RUST_LOG"),
            ("APP_LOG_LEVELS_HYPER", "APP__LOG__LEVELS__MODULE"),
            ("LOG__LEVELS__HYPER", "APP__LOG__LEVELS__MODULE"),
            ("APP_BLUEPRINTS_ORDERS_USERS_URL", "APP__BLUEPRINTS__NAME__KEY"),
            ("app__blueprints__orders__users_url", "APP__BLUEPRINTS__ORDERS__USERS_URL"),
            ("App__Log__Modus", "APP__LOG__MODUS"),
        ] {
            assert_eq!(meant_by(name, "dev").as_deref(), Some(expected), "{name}");
        }
        assert_eq!(meant_by("APP_PORT", "8080").as_deref(), Some("APP__SERVER__PORT"));
        assert_eq!(meant_by("port", "8080").as_deref(), Some("PORT"));
    }

    #[test]
    fn unrelated_variables_are_ignored() {
        for (name, value) in [
            ("PATH", "/bin"),
            ("ENV", "/root/.profile"),
            ("HOME", "/root"),
            ("HOST", "web"),
            ("HOSTNAME", "web"),
            ("NODE_ENV", "dev"),
            ("PORT", "8080"),
            ("RUST_LOG", "debug"),
            ("RUST_LOG_STYLE", "never"),
            ("RUST_BACKTRACE", "1"),
            ("SENTRY_DSN", "https://k@h/1"),
            ("SENTRY_DSN_FILE", "/run/secrets/dsn"),
            ("DATABASE_URL_FILE", "/run/secrets/database"),
            ("APP__ANYTHING", "x"),
            ("APP_NAME", "shop"),
            ("APP_HOME", "/srv"),
            ("APP_USER", "shop"),
            ("APP_URL", "https://shop.example"),
            ("APP_KEY", "x"),
            ("APP_DEBUG", "true"),
            ("APP_VERSION", "1"),
            ("APP_HOST", "shop"),
            ("APP_POST", "x"),
            ("APP_PORT", "tcp://10.0.0.1:80"),
            ("APP_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("APP_PORT_80_TCP_PORT", "80"),
            ("APP_PORT_80_TCP_PROTO", "tcp"),
            ("APP_SERVICE_HOST", "10.0.0.1"),
            ("APP_SERVICE_PORT", "80"),
            ("APP_SERVICE_PORT_HTTP", "80"),
            ("SERVER_SERVICE_HOST", "10.0.0.1"),
            ("SERVER_NAME", "shop"),
            ("SERVER_ROOT", "/srv"),
            ("LOG_DIR", "/var/log"),
            ("LOG_FILE", "app.log"),
            ("LOG_PATH", "/var/log"),
            ("LOGNAME", "root"),
            ("SENTRY_AUTH_TOKEN", "x"),
            ("SENTRY_ORG", "x"),
            ("SENTRY_PROJECT", "x"),
            ("SENTRY_URL", "https://sentry.example"),
            ("SENTRY_DEBUG", "1"),
            ("DATABASE_HOST", "db"),
            ("DATABASE_NAME", "shop"),
            ("DATABASE_USER", "shop"),
            ("DATABASE_SSL", "true"),
            ("DATABASE_PORT", "5432"),
            ("TEST_DATABASE_URL", "x"),
            ("PGHOST", "db"),
            ("PGDATABASE", "shop"),
            ("POSTGRES_PORT", "tcp://10.0.0.3:5432"),
            ("SENTRY_DNS", " "),
            ("_", "/usr/bin/env"),
            ("", "x"),
        ] {
            assert_eq!(meant_by(name, value), None, "{name}={value}");
        }
    }
}
