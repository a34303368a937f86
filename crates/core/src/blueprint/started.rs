//! The blueprints of a process, from their start to their stop.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cyanotype_telemetry::failure::display_chain;

use super::Blueprint;
use super::error::RegistryError;
use super::registry::Enabled;
use super::resources::{Mount, Resources, Shared};
use crate::database::{Database, Expiring};

/// How long a blueprint may think about whether it is ready.
const READY_LIMIT: Duration = Duration::from_secs(2);

/// Blueprints that have started, each behind those that it needs.
#[derive(Clone)]
pub(crate) struct StartedBlueprints {
    started: Vec<(Arc<dyn Blueprint>, Resources)>,
    shared: Shared,
}

/// Why one of them did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStarted {
    /// Its own error, with its sources.
    #[error("the blueprint {blueprint} did not start: {reason}")]
    Failed { blueprint: &'static str, reason: String },
    /// They do not go together.
    #[error("{0}")]
    Conflict(RegistryError),
}

impl StartedBlueprints {
    /// Starts them in their order. When one does not, those before it are stopped again.
    pub(crate) async fn start(blueprints: &[Enabled], shared: Shared) -> Result<Self, NotStarted> {
        let mut started = Self { started: Vec::new(), shared };
        for Enabled { blueprint, section } in blueprints {
            let resources = started.shared.of(blueprint.name(), section.own.clone());
            let outcome = blueprint.start(&resources).await;
            let problem = match (outcome, started.shared.conflict()) {
                (Ok(()), None) => {
                    started.started.push((Arc::clone(blueprint), resources));
                    continue;
                }
                (Ok(()), Some(conflict)) => NotStarted::Conflict(conflict),
                (Err(error), _) => NotStarted::Failed { blueprint: blueprint.name(), reason: display_chain(&*error) },
            };
            started.stop(Duration::from_secs(1)).await;
            return Err(problem);
        }
        Ok(started)
    }

    pub(crate) fn database(&self) -> &Database {
        self.shared.database()
    }

    /// The tables whose rows expire.
    pub(crate) fn expiring(&self) -> Vec<Expiring> {
        self.shared.expiring()
    }

    /// What makes all that they provide known to an app's handlers.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        self.shared.mounts()
    }

    /// Stops them, the last one first, in no more time than that.
    pub(crate) async fn stop(&self, limit: Duration) {
        let all = async {
            for (blueprint, resources) in self.started.iter().rev() {
                if let Err(error) = blueprint.stop(resources).await {
                    let error = &*error as &dyn Error;
                    tracing::warn!(error, "the blueprint {} did not stop in order", blueprint.name());
                }
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("the blueprints did not stop in {} ms", limit.as_millis());
        }
    }

    /// What each says when it is asked whether it is ready.
    pub(crate) async fn ready(&self) -> Vec<(&'static str, Result<(), String>)> {
        let asked = self.started.iter().map(async |(blueprint, resources)| {
            let answer = match tokio::time::timeout(READY_LIMIT, blueprint.ready(resources)).await {
                Ok(answer) => answer.map_err(|error| display_chain(&*error)),
                Err(_) => Err(format!("no answer in {} s", READY_LIMIT.as_secs())),
            };
            (blueprint.name(), answer)
        });
        futures_util::future::join_all(asked).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::registry::{Registered, enabled};
    use crate::blueprint::{Dependency, Task};
    use crate::settings::Loader;
    use actix_web::web::ServiceConfig;
    use parking_lot::Mutex;

    /// What has happened, in its order.
    type Diary = Arc<Mutex<Vec<String>>>;

    struct Told {
        name: &'static str,
        needs: &'static [&'static str],
        fails: bool,
        clashes: bool,
        diary: Diary,
    }

    impl Told {
        fn note(&self, what: &str) {
            self.diary.lock().push(format!("{} {what}", self.name));
        }
    }

    impl Blueprint for Told {
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
            self.needs.iter().map(|name| Dependency::on(name)).collect()
        }
        fn start<'a>(&'a self, resources: &'a Resources) -> Task<'a> {
            Box::pin(async move {
                self.note("start");
                if self.clashes {
                    resources.provide(Arc::new(self.name.to_owned()));
                }
                if self.fails { Err("the warehouse is closed".into()) } else { Ok(()) }
            })
        }
        fn stop<'a>(&'a self, _: &'a Resources) -> Task<'a> {
            Box::pin(async move {
                self.note("stop");
                Ok(())
            })
        }
        fn ready<'a>(&'a self, _: &'a Resources) -> Task<'a> {
            let ready = self.name != "orders";
            Box::pin(async move { if ready { Ok(()) } else { Err("no stock is known yet".into()) } })
        }
    }

    /// Orders, which needs users and comes first, and users; how they start, and what they tell.
    async fn start(fails: bool, clashes: bool) -> (Result<StartedBlueprints, NotStarted>, Diary) {
        let diary = Diary::default();
        let one = |name, needs, fails| Registered::new(Told { name, needs, fails, clashes, diary: Arc::clone(&diary) });
        let told = [one("orders", &["users"], false), one("users", &[], fails)];
        let loader = Loader::new("/nonexistent").variables([("DATABASE_URL", "sqlite::memory:")]);
        let mut settings = loader.load().expect("good settings");
        let enabled = enabled(&told, &mut settings).expect("they go together");
        let database = crate::database::tests::in_memory().await;
        (StartedBlueprints::start(&enabled, Shared::new(database)).await, diary)
    }

    fn told(diary: &Diary) -> Vec<String> {
        diary.lock().clone()
    }

    #[actix_web::test]
    async fn each_starts_after_and_stops_before_those_that_it_needs() {
        let (started, diary) = start(false, false).await;
        let Ok(running) = started else { panic!("they start") };
        let ready = [("users", Ok(())), ("orders", Err("no stock is known yet".to_owned()))];
        assert_eq!(running.ready().await, ready);
        running.stop(Duration::from_secs(1)).await;
        assert_eq!(told(&diary), ["users start", "orders start", "orders stop", "users stop"]);
    }

    #[actix_web::test]
    async fn two_that_provide_one_thing_do_not_go_together() {
        let (started, diary) = start(false, true).await;
        let Err(NotStarted::Conflict(why)) = started else { panic!("they clash") };
        assert_eq!(why.to_string(), "the blueprints users and orders both provide alloc::string::String: one must not");
        assert_eq!(told(&diary), ["users start", "orders start", "users stop"]);
    }

    #[actix_web::test]
    async fn one_that_does_not_start_says_why() {
        let (started, diary) = start(true, false).await;
        let Err(why @ NotStarted::Failed { .. }) = started else { panic!("it does not start") };
        assert_eq!(why.to_string(), "the blueprint users did not start: the warehouse is closed");
        assert_eq!(told(&diary), ["users start"]);
    }
}
