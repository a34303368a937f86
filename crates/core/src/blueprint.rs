//! What a blueprint is: a crate that registers its routes on the one app.

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use sqlx::migrate::Migrator;

use crate::auth::Authenticator;
use crate::database::Database;
use crate::http::rules::ResponseLogRules;

/// A part of the API with routes under a prefix of its own. What is not said here has a default, so a small blueprint is
/// small.
///
/// ```
/// use actix_web::web::{self, ServiceConfig};
/// use cyanotype::Blueprint;
///
/// struct Greetings;
///
/// impl Blueprint for Greetings {
///     fn name(&self) -> &'static str {
///         "greetings"
///     }
///     fn prefix(&self) -> &str {
///         "/greetings"
///     }
///     fn routes(&self, scope: &mut ServiceConfig) {
///         scope.service(web::resource("/{name}").get(async |name: web::Path<String>| format!("Hello {name}")));
///     }
/// }
/// ```
pub trait Blueprint: Send + Sync + 'static {
    /// Its name in records, settings and `app routes`.
    fn name(&self) -> &'static str;

    /// The path that all its routes begin with: `/users`.
    fn prefix(&self) -> &str;

    /// Registers its routes, as paths below the prefix.
    fn routes(&self, scope: &mut ServiceConfig);

    /// How much is recorded of its responses, where that is not all of them with their bodies.
    fn response_log(&self) -> ResponseLogRules {
        ResponseLogRules::default()
    }

    /// What makes its tables and brings them up to date; run at every start.
    fn migrations(&self) -> Option<Migrator> {
        None
    }

    /// How to tell whose a token is, from the one blueprint that knows.
    fn authenticator(&self, _database: &Database) -> Option<Arc<dyn Authenticator>> {
        None
    }
}

/// Blueprints that cannot be served together: one sentence that names both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError(String);

impl RegistryError {
    pub(crate) fn new(said: String) -> Self {
        Self(said)
    }
}

impl std::fmt::Display for RegistryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RegistryError {}

/// Picks the enabled blueprints and checks that they go together.
pub(crate) fn enabled(
    all: Vec<Arc<dyn Blueprint>>,
    names: Option<&[String]>,
) -> Result<Vec<Arc<dyn Blueprint>>, RegistryError> {
    let refuse = |said: String| Err(RegistryError(said));
    for blueprint in &all {
        let (name, prefix) = (blueprint.name(), blueprint.prefix());
        let fits = prefix.len() > 1 && prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains("//");
        if !fits {
            return refuse(format!("the blueprint {name} has the prefix `{prefix}`: it must look like /{name}"));
        }
    }
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            if one.name() == other.name() {
                return refuse(format!("two blueprints have the name {}", one.name()));
            }
            let (a, b) = (one.prefix(), other.prefix());
            let inside = |inner: &str, outer: &str| inner == outer || inner.starts_with(&format!("{outer}/"));
            if inside(a, b) || inside(b, a) {
                return refuse(format!(
                    "the prefix {a} of the blueprint {} and {b} of {} shadow each other",
                    one.name(),
                    other.name()
                ));
            }
        }
    }
    let Some(names) = names else { return Ok(all) };
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|blueprint| blueprint.name() != *name)) {
        let known: Vec<&str> = all.iter().map(|blueprint| blueprint.name()).collect();
        return refuse(format!("blueprints.enabled names {unknown}; this program has {}", known.join(", ")));
    }
    Ok(all.into_iter().filter(|blueprint| names.iter().any(|name| name == blueprint.name())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str, &'static str);

    impl Blueprint for Named {
        fn name(&self) -> &'static str {
            self.0
        }
        fn prefix(&self) -> &str {
            self.1
        }
        fn routes(&self, _: &mut ServiceConfig) {}
    }

    fn check(blueprints: &[(&'static str, &'static str)], names: Option<&[&str]>) -> Result<Vec<&'static str>, String> {
        let all = blueprints.iter().map(|(name, prefix)| Arc::new(Named(name, prefix)) as Arc<dyn Blueprint>);
        let names: Option<Vec<String>> = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let enabled = enabled(all.collect(), names.as_deref()).map_err(|error| error.to_string())?;
        Ok(enabled.iter().map(|blueprint| blueprint.name()).collect())
    }

    #[test]
    fn clashes_are_refused_and_both_sides_named() {
        let clash = check(&[("users", "/users"), ("staff", "/users/staff")], None).expect_err("they shadow");
        assert_eq!(clash, "the prefix /users of the blueprint users and /users/staff of staff shadow each other");
        assert!(check(&[("users", "/users"), ("users", "/people")], None).is_err());
        assert!(check(&[("users", "users")], None).is_err());
        assert!(check(&[("user", "/user"), ("users", "/users")], None).is_ok());
    }

    #[test]
    fn some_of_them_may_be_enabled() {
        let all = [("users", "/users"), ("orders", "/orders")];
        assert_eq!(check(&all, Some(&["orders"])).expect("is known"), ["orders"]);
        let unknown = check(&all, Some(&["stock"])).expect_err("is unknown");
        assert_eq!(unknown, "blueprints.enabled names stock; this program has users, orders");
    }
}
