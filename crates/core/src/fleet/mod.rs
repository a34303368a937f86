//! Overrides that all processes of the service share. This version knows its own process alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_telemetry::Pipeline;
use cyanotype_telemetry::effective::{LiveValues, MAX_OVERRIDES, Override, OverrideScope, Source};
use parking_lot::Mutex;
use serde::Serialize;
use uuid::Uuid;

use crate::database::DatabaseError;
use crate::time;

#[derive(Clone)]
pub(crate) struct Fleet(Arc<Alone>);

struct Alone {
    pipeline: &'static Pipeline,
    id: Uuid,
    state: Mutex<(u64, Vec<Override>)>,
}

pub(crate) struct NewFleetOverride {
    pub id: String,
    pub set: LiveValues,
    pub scope: OverrideScope,
    pub lasts: Duration,
    pub reason: String,
    pub by: String,
}

pub(crate) struct Stored {
    pub over: Override,
    pub created: bool,
    pub fleet_version: u64,
}

#[derive(Serialize)]
pub(crate) struct FleetStatus {
    pub version: Option<u64>,
    pub processes: Vec<ProcessStatus>,
}

#[derive(Serialize)]
pub(crate) struct ProcessStatus {
    pub id: Uuid,
    pub name: String,
    pub version: Option<u64>,
    pub seen: String,
}

pub(crate) enum FleetError {
    #[expect(dead_code, reason = "there is no database behind it yet")]
    Unavailable(DatabaseError),
    TooMany,
}

impl Fleet {
    pub(crate) fn alone(pipeline: &'static Pipeline) -> Self {
        Self(Arc::new(Alone { pipeline, id: Uuid::now_v7(), state: Mutex::default() }))
    }

    pub(crate) async fn put(&self, new: NewFleetOverride) -> Result<Stored, FleetError> {
        let NewFleetOverride { id, set, scope, lasts, reason, by } = new;
        let set_at = time::now();
        let over = Override {
            id,
            set,
            scope,
            set_at,
            until: set_at + lasts,
            deadline: Instant::now() + lasts,
            reason,
            by,
            source: Source::Fleet,
            fleet: true,
        };
        let mut state = self.0.state.lock();
        state.1.retain(|it| it.deadline > Instant::now());
        let at = state.1.iter().position(|it| it.id == over.id);
        if at.is_none() && state.1.len() >= MAX_OVERRIDES {
            return Err(FleetError::TooMany);
        }
        match at {
            Some(at) => state.1[at] = over.clone(),
            None => state.1.push(over.clone()),
        }
        state.0 += 1;
        self.0.pipeline.set_fleet_overrides(Some(state.0), state.1.clone());
        Ok(Stored { over, created: at.is_none(), fleet_version: state.0 })
    }

    pub(crate) async fn clear(&self, id: &str, _by: &str) -> Result<bool, FleetError> {
        let mut state = self.0.state.lock();
        let before = state.1.len();
        state.1.retain(|it| it.id != id);
        let is_gone = state.1.len() < before;
        if is_gone {
            state.0 += 1;
            self.0.pipeline.set_fleet_overrides(Some(state.0), state.1.clone());
        }
        Ok(is_gone)
    }

    pub(crate) async fn status(&self) -> Result<FleetStatus, FleetError> {
        let version = Some(self.0.state.lock().0).filter(|version| *version > 0);
        let own = ProcessStatus { id: self.0.id, name: "own".into(), version, seen: time::now().to_string() };
        Ok(FleetStatus { version, processes: vec![own] })
    }
}
