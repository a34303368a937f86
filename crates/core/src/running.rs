//! The blueprints of a process, from their start to their stop.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::blueprint::Blueprint;
use crate::database::Database;
use crate::registry::Enabled;
use crate::resources::{Mount, Resources, Shared};

/// How long a blueprint may think about whether it is ready.
const READY_LIMIT: Duration = Duration::from_secs(2);

/// Blueprints that have started, each behind those that it needs.
#[derive(Clone)]
pub(crate) struct Running {
    started: Vec<(Arc<dyn Blueprint>, Resources)>,
    shared: Shared,
}

/// Why one of them did not start.
pub(crate) enum NotStarted {
    /// Its own word.
    Failed(String),
    /// They do not go together.
    Clash(String),
}

impl Running {
    /// Starts them in their order. When one does not, those before it are stopped again.
    pub async fn start(blueprints: &[Enabled], shared: Shared) -> Result<Self, NotStarted> {
        let mut running = Self { started: Vec::new(), shared };
        for Enabled { blueprint, section } in blueprints {
            let resources = running.shared.of(blueprint.name(), section.own.clone());
            let outcome = blueprint.start(&resources).await;
            let problem = match (outcome, running.shared.clash()) {
                (Ok(()), None) => {
                    running.started.push((Arc::clone(blueprint), resources));
                    continue;
                }
                (Ok(()), Some(clash)) => NotStarted::Clash(clash),
                (Err(error), _) => {
                    NotStarted::Failed(format!("the blueprint {} did not start: {}", blueprint.name(), chain(&*error)))
                }
            };
            running.stop(Duration::from_secs(1)).await;
            return Err(problem);
        }
        Ok(running)
    }

    pub fn database(&self) -> &Database {
        self.shared.database()
    }

    /// What makes all that they provide known to an app's handlers.
    pub fn mounts(&self) -> Vec<Mount> {
        self.shared.mounts()
    }

    /// Stops them, the last one first, in no more time than that.
    pub async fn stop(&self, limit: Duration) {
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
    pub async fn ready(&self) -> Vec<(&'static str, Result<(), String>)> {
        let asked = self.started.iter().map(async |(blueprint, resources)| {
            let answer = match tokio::time::timeout(READY_LIMIT, blueprint.ready(resources)).await {
                Ok(answer) => answer.map_err(|error| chain(&*error)),
                Err(_) => Err(format!("no answer in {} s", READY_LIMIT.as_secs())),
            };
            (blueprint.name(), answer)
        });
        futures_util::future::join_all(asked).await
    }
}

/// An error and its sources in one sentence.
fn chain(error: &(dyn Error + 'static)) -> String {
    let links = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    links.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
