//! Variables that look as if they were meant for a setting, and are not read.

use super::layers::{self, Leaf};
use super::rust_log;
use super::spec::{SETTINGS, Setting};

/// A variable that is read.
struct Known {
    name: String,
    /// What its near misses are spelled like.
    words: Vec<String>,
    setting: Option<&'static Setting>,
}

/// A warning for each, by name. Values are never repeated.
pub(super) fn warnings(environment: &[(String, String)]) -> Vec<String> {
    let known = known();
    let mut warnings: Vec<String> = environment
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} is not read; did you mean {}?", meant(name, value, &known)?)))
        .collect();
    warnings.sort();
    warnings
}

fn known() -> Vec<Known> {
    let of_settings = SETTINGS.iter().flat_map(|setting| {
        let usual = setting.usual_name.map(|name| (name.to_owned(), name));
        let names = usual.into_iter().chain([(layers::variable(setting.key), setting.key)]);
        // With the prefix that was not written right, and without it.
        names.flat_map(|(name, spelled)| {
            let prefixed = ["APP".to_owned()].into_iter().chain(words(spelled)).collect();
            let with_prefix = Known { name: layers::variable(setting.key), words: prefixed, setting: Some(setting) };
            [Known { name, words: words(spelled), setting: Some(setting) }, with_prefix]
        })
    });
    let rust_log = Known { name: rust_log::NAME.to_owned(), words: words(rust_log::NAME), setting: None };
    of_settings.chain([rust_log]).collect()
}

fn words(name: &str) -> Vec<String> {
    name.split(['_', '-', '.']).filter(|word| !word.is_empty()).map(str::to_uppercase).collect()
}

/// The variable that was probably meant by this one.
fn meant(name: &str, value: &str, known: &[Known]) -> Option<String> {
    // What begins so is a setting's, or stops the start.
    let is_read = name.starts_with("APP__") || known.iter().any(|known| known.name == name);
    // Container platforms set NAME_PORT=tcp://10.0.0.1:80 for a service of any name.
    let is_a_link = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    if is_read || is_a_link || value.trim().is_empty() {
        return None;
    }
    let said = words(name);
    let distances = known.iter().filter_map(|known| {
        // `ENV` is a name that shells use too, so its value decides.
        let is_meant = known.words.len() > 1 || known.setting.is_some_and(|setting| takes(setting, value));
        Some((distance(&said, &known.words).filter(|_| is_meant)?, known))
    });
    if let Some((_, nearest)) = distances.min_by_key(|(distance, _)| *distance) {
        return Some(nearest.name.clone());
    }
    // Those that are read by the beginning of their names alone.
    let spelled = said.join("_");
    if name.to_uppercase().starts_with("APP__") {
        Some(name.to_uppercase())
    } else if spelled.starts_with("APP_BLUEPRINTS_") {
        Some("APP__BLUEPRINTS__NAME__KEY".to_owned())
    } else if spelled.strip_prefix("APP_").unwrap_or(&spelled).starts_with("LOG_LEVELS_") {
        Some("APP__LOG__LEVELS__MODULE".to_owned())
    } else {
        None
    }
}

fn takes(setting: &Setting, value: &str) -> bool {
    layers::checked(&Leaf::new(setting.key, value, ""), setting).is_ok()
}

/// How far a name is from one that is read: 0 for the same words written otherwise, 1 for an abbreviation of the last one,
/// and the number of words with a typing error. `None` when it is a name of its own.
fn distance(said: &[String], meant: &[String]) -> Option<usize> {
    if said.concat() == meant.concat() {
        return Some(0);
    }
    // A single word, and one beside a word that is any program's, is too little to tell an error by.
    let is_short = meant.len() == 1 || (meant.len() == 2 && meant[0] == "APP");
    let differing: Vec<(&String, &String)> = said.iter().zip(meant).filter(|(a, b)| a != b).collect();
    let is_abbreviated = |(short, long): &(&String, &String)| {
        said.last() == Some(*short) && short.len() >= 3 && long.starts_with(short.as_str())
    };
    let most = (meant.concat().len() / 5).min(2);
    let are_typing_errors = || differing.iter().all(|(a, b)| strsim::osa_distance(a, b) == 1);
    let is_near = match &differing[..] {
        [one] if is_abbreviated(one) => true,
        several => several.len() <= most && are_typing_errors(),
    };
    (said.len() == meant.len() && !is_short && is_near).then_some(differing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant_by(name: &str, value: &str) -> Option<String> {
        meant(name, value, &known())
    }

    #[test]
    fn a_near_miss_is_known_by_its_words() {
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
    fn other_names_are_none_of_ours() {
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
