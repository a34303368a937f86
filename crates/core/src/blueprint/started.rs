//! Starts and stops the blueprints of a process.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cyanotype_telemetry::failure::display_chain;
use cyanotype_telemetry::panic;
use cyanotype_telemetry::request::with_task_breadcrumbs;

use super::Blueprint;
use super::error::RegistryError;
use super::registry::EnabledBlueprint;
use super::resources::{RegisterValue, Resources, SharedResources};
use crate::database::{Database, ExpiringTable};

/// Maximum duration of a blueprint's readiness check.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// Blueprints that have started, in dependency order: dependencies first.
#[derive(Clone)]
pub(crate) struct StartedBlueprints {
    started: Vec<(Arc<dyn Blueprint>, Resources)>,
    shared: SharedResources,
}

/// Why the blueprints did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlueprintStartError {
    /// A blueprint returned an error; `reason` includes its sources.
    #[error("the blueprint {blueprint} did not start: {reason}")]
    Failed { blueprint: &'static str, reason: String },
    /// Blueprints conflict with each other.
    #[error("{0}")]
    Conflict(RegistryError),
    /// A blueprint panicked, as the text describes.
    #[error("{0}")]
    Panicked(String),
}

impl StartedBlueprints {
    /// No blueprints, before [`Self::start`].
    pub(crate) fn none(shared: SharedResources) -> Self {
        Self { started: Vec::new(), shared }
    }

    /// Starts the blueprints in order. When one fails, stops those that have started.
    pub(crate) async fn start(&mut self, blueprints: &[EnabledBlueprint]) -> Result<(), BlueprintStartError> {
        for EnabledBlueprint { blueprint, section } in blueprints {
            let resources = self.shared.of(blueprint.name(), section.own.clone());
            let outcome = panic::catch(with_task_breadcrumbs(async { blueprint.start(&resources).await })).await;
            let problem = match (outcome, self.shared.conflict()) {
                (Ok(Ok(())), None) => {
                    self.started.push((Arc::clone(blueprint), resources));
                    continue;
                }
                (Ok(Ok(())), Some(conflict)) => BlueprintStartError::Conflict(conflict),
                (Ok(Err(error)), _) => {
                    BlueprintStartError::Failed { blueprint: blueprint.name(), reason: display_chain(&*error) }
                }
                (Err(payload), _) => BlueprintStartError::Panicked(panic::description(&*payload)),
            };
            self.stop(Duration::from_secs(1)).await;
            return Err(problem);
        }
        Ok(())
    }

    pub(crate) fn database(&self) -> &Database {
        self.shared.database()
    }

    /// The tables whose rows expire.
    pub(crate) fn expiring_tables(&self) -> Vec<ExpiringTable> {
        self.shared.expiring_tables()
    }

    /// Functions that register the provided values on an app.
    pub(crate) fn registrations(&self) -> Vec<RegisterValue> {
        self.shared.registrations()
    }

    /// Stops the blueprints in reverse order, within `limit` in total. Returns the description of a panic among them.
    pub(crate) async fn stop(&self, limit: Duration) -> Option<String> {
        let mut panicked = None;
        let all = async {
            for (blueprint, resources) in self.started.iter().rev() {
                match panic::catch(with_task_breadcrumbs(async { blueprint.stop(resources).await })).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        let error = &*error as &dyn Error;
                        tracing::warn!(error, "the blueprint {} failed to stop", blueprint.name());
                    }
                    Err(payload) => panicked = Some(panic::description(&*payload)),
                }
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("the blueprints did not stop within {} ms", limit.as_millis());
        }
        panicked
    }

    /// The readiness of each blueprint, by name.
    pub(crate) async fn ready(&self) -> Vec<(&'static str, Result<(), String>)> {
        let checks = self.started.iter().map(async |(blueprint, resources)| {
            let outcome = match tokio::time::timeout(READY_TIMEOUT, blueprint.ready(resources)).await {
                Ok(outcome) => outcome.map_err(|error| display_chain(&*error)),
                Err(_) => Err(format!("readiness check timed out after {} s", READY_TIMEOUT.as_secs())),
            };
            (blueprint.name(), outcome)
        });
        futures_util::future::join_all(checks).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::registry::{RegisteredBlueprint, select_enabled};
    use crate::blueprint::{Dependency, LifecycleFuture};
    use crate::settings::Loader;
    use actix_web::web::ServiceConfig;
    use parking_lot::Mutex;

    /// Calls in their order.
    type Calls = Arc<Mutex<Vec<String>>>;

    struct FakeBlueprint {
        name: &'static str,
        dependencies: &'static [&'static str],
        fails: bool,
        conflicts: bool,
        calls: Calls,
    }

    impl FakeBlueprint {
        fn record(&self, call: &str) {
            self.calls.lock().push(format!("{} {call}", self.name));
        }
    }

    impl Blueprint for FakeBlueprint {
        fn name(&self) -> &'static str {
            self.name
        }
        fn prefix(&self) -> &str {
            match self.name {
                "users" => "/users",
                _ => "/orders",
            }
        }
        fn routes(&self, _: &mut ServiceConfig) {}
        fn dependencies(&self) -> Vec<Dependency> {
            self.dependencies.iter().map(|name| Dependency::on(name)).collect()
        }
        fn start<'a>(&'a self, resources: &'a Resources) -> LifecycleFuture<'a> {
            Box::pin(async move {
                self.record("start");
                if self.conflicts {
                    resources.provide(Arc::new(self.name.to_owned()));
                }
                if self.fails { Err("the warehouse is closed".into()) } else { Ok(()) }
            })
        }
        fn stop<'a>(&'a self, _: &'a Resources) -> LifecycleFuture<'a> {
            Box::pin(async move {
                self.record("stop");
                Ok(())
            })
        }
        fn ready<'a>(&'a self, _: &'a Resources) -> LifecycleFuture<'a> {
            let ready = self.name != "orders";
            Box::pin(async move { if ready { Ok(()) } else { Err("stock is not loaded yet".into()) } })
        }
    }

    /// Starts orders, which depends on users and is registered first, and users; returns the outcome and their calls.
    async fn start(fails: bool, conflicts: bool) -> (Result<StartedBlueprints, BlueprintStartError>, Calls) {
        let calls = Calls::default();
        let one = |name, dependencies, fails| {
            RegisteredBlueprint::new(FakeBlueprint { name, dependencies, fails, conflicts, calls: Arc::clone(&calls) })
        };
        let blueprints = [one("orders", &["users"], false), one("users", &[], fails)];
        let loader = Loader::new("/nonexistent").variables([("DATABASE_URL", "sqlite::memory:")]);
        let mut settings = loader.load().expect("valid settings");
        let enabled = select_enabled(&blueprints, &mut settings).expect("no conflict");
        let database = crate::database::tests::in_memory().await;
        let mut blueprints = StartedBlueprints::none(SharedResources::new(database));
        (blueprints.start(&enabled).await.map(|()| blueprints), calls)
    }

    #[actix_web::test]
    async fn each_blueprint_starts_after_its_dependencies_and_stops_before() {
        let (started, calls) = start(false, false).await;
        let Ok(running) = started else { panic!("the start failed") };
        let ready = [("users", Ok(())), ("orders", Err("stock is not loaded yet".to_owned()))];
        assert_eq!(running.ready().await, ready);
        running.stop(Duration::from_secs(1)).await;
        assert_eq!(*calls.lock(), ["users start", "orders start", "orders stop", "users stop"]);
    }

    #[actix_web::test]
    async fn two_blueprints_that_provide_the_same_type_conflict() {
        let (started, calls) = start(false, true).await;
        let Err(BlueprintStartError::Conflict(why)) = started else { panic!("expected a conflict") };
        assert_eq!(
            why.to_string(),
            "the blueprints users and orders both provide alloc::string::String: only one may provide it"
        );
        assert_eq!(*calls.lock(), ["users start", "orders start", "users stop"]);
    }

    #[actix_web::test]
    async fn a_failed_start_reports_the_reason() {
        let (started, calls) = start(true, false).await;
        let Err(why @ BlueprintStartError::Failed { .. }) = started else { panic!("a failed start") };
        assert_eq!(why.to_string(), "the blueprint users did not start: the warehouse is closed");
        assert_eq!(*calls.lock(), ["users start"]);
    }
}
