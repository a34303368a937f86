//! Reloads the settings on SIGHUP, and when the content of their files changes.

use std::sync::Arc;
use std::time::Duration;

use cyanotype_settings::{Changes, Fingerprint};
use cyanotype_telemetry::Pipeline;
use cyanotype_telemetry::effective::{Action, PolicyChange, Source, is_live_key};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior};

use super::service::Service;
use super::systemd::notify;
use crate::blueprint::error::RegistryError;
use crate::blueprint::registry::{self, RegisteredBlueprint};
use crate::settings::{Settings, SettingsError};

/// Reloads the settings, and applies the live ones to the running service.
pub(super) struct Reloader {
    pipeline: &'static Pipeline,
    blueprints: Vec<RegisteredBlueprint>,
    /// The settings at startup.
    initial: Settings,
    /// The settings of the last successful load.
    current: Settings,
    /// The fingerprint of the files at the last check.
    last_content: Fingerprint,
}

/// Why reloaded settings are refused.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Blueprints(#[from] RegistryError),
}

impl Reloader {
    pub(super) fn new(service: &Service, pipeline: &'static Pipeline) -> Self {
        let initial = service.settings.clone();
        Self {
            pipeline,
            blueprints: service.blueprints.clone(),
            current: initial.clone(),
            last_content: initial.fingerprint(),
            initial,
        }
    }

    /// Reloads on each SIGHUP, and when a check of `config.watch_s` finds changed content.
    pub(super) async fn run(mut self, hangup: Arc<Notify>) {
        let mut ticks = self.initial.config.watch().map(ticks);
        loop {
            let source = tokio::select! {
                () = hangup.notified() => Source::Signal,
                () = next(&mut ticks) => Source::File,
            };
            // Checked on SIGHUP too: otherwise the next tick would reload the same content again.
            let content = ticks.is_some().then(|| self.current.current_fingerprint());
            let has_changed =
                content.is_some_and(|content| content != std::mem::replace(&mut self.last_content, content));
            if source == Source::Signal || has_changed {
                notify::reloading();
                let status = match self.reload(source) {
                    Ok(()) => "serving; the settings have been reloaded".to_owned(),
                    Err(error) => format!("serving; the reload was refused: {error}"),
                };
                notify::reloaded(&status);
            }
        }
    }

    /// Applies the settings of the files, or records why they are refused.
    fn reload(&mut self, source: Source) -> Result<(), ReloadError> {
        let by = if source == Source::Signal { "SIGHUP" } else { "config.watch_s" };
        let (new, effective) = match self.load() {
            Ok(loaded) => loaded,
            Err(error) => {
                self.refuse(by, source, &error);
                return Err(error);
            }
        };
        // Compared with the settings at startup: a key that changed since startup stays in the list until a restart.
        let since_start = self.initial.changes_to(&new);
        let Changes { hidden, .. } = self.current.changes_to(&new);
        let needs_restart: Vec<String> =
            since_start.changed.into_iter().map(|change| change.key).filter(|key| !is_live(key)).collect();
        let hidden: Vec<Value> = hidden.into_iter().map(|it| json!({"key": it.key, "set_by": it.by})).collect();
        let mut more = Map::new();
        more.insert("needs_restart".to_owned(), json!(needs_restart));
        if !hidden.is_empty() {
            more.insert("hidden".to_owned(), json!(hidden));
        }
        let change = PolicyChange { more, ..PolicyChange::new(Action::Reloaded, by, source, "") };
        self.pipeline.reconfigure(&effective.telemetry(), change);
        self.current = new;
        Ok(())
    }

    /// The new settings, without and with the blueprints' settings applied.
    fn load(&self) -> Result<(Settings, Settings), ReloadError> {
        let new = self.current.reload()?;
        let mut effective = new.clone();
        registry::select_enabled(&self.blueprints, &mut effective)?;
        Ok((new, effective))
    }

    /// Records why the reload was refused; nothing changes.
    fn refuse(&self, by: &str, source: Source, error: &ReloadError) {
        let is_off = self.pipeline.policy().is_off();
        let mut change = PolicyChange::refused(by, source, error.to_string(), is_off);
        let settings = match error {
            ReloadError::Settings(error) | ReloadError::Blueprints(RegistryError::Settings(error)) => Some(error),
            ReloadError::Blueprints(_) => None,
        };
        if let Some(problem) = settings.and_then(|error| error.problems().first()) {
            change.more.insert("file".to_owned(), json!(problem.file()));
            change.more.insert("key".to_owned(), json!(problem.key()));
        }
        self.pipeline.record_change(&change);
    }
}

/// Whether a key can change while the service runs; a blueprint's level is the level of its crate in `log.levels`.
fn is_live(key: &str) -> bool {
    is_live_key(key) || key.starts_with("blueprints.") && key.ends_with(".log.level")
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Waits for the next tick; without an interval, forever.
async fn next(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}
