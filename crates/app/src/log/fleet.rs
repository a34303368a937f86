//! Waiting until every process of the service follows a fleet's override.

use std::thread::sleep;
use std::time::{Duration, Instant};

use cyanotype::settings::Settings;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::view::read;
use crate::failed::Failed;
use crate::print::{complaint, print, to_json};

/// The longest time that is waited.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// `GET /log/fleet`.
#[derive(Debug, Deserialize)]
struct Fleet {
    processes: Vec<Process>,
}

#[derive(Debug, Deserialize)]
struct Process {
    name: String,
    version: Option<u64>,
}

impl Fleet {
    fn behind(&self, version: u64) -> Vec<&str> {
        let is_behind = |it: &&Process| it.version.is_none_or(|its| its < version);
        self.processes.iter().filter(is_behind).map(|it| it.name.as_str()).collect()
    }

    fn count(&self, version: u64) -> String {
        let all = self.processes.len();
        format!("{} of {all} processes at version {version}", all - self.behind(version).len())
    }

    fn is_complete(&self, version: u64) -> bool {
        !self.processes.is_empty() && self.behind(version).is_empty()
    }
}

/// Waits, and prints how many follow: after the override in JSON, where that is given.
pub(super) fn wait(client: &Client, settings: &Settings, version: u64, json: Option<Value>) -> Result<(), Failed> {
    let start = Instant::now();
    // A process that has not looked yet is not listed yet.
    let least = settings.log.override_poll() + Duration::from_secs(1);
    let mut said = String::new();
    loop {
        let shown = client.get("/log/fleet")?;
        let fleet: Fleet = read(shown.clone())?;
        let elapsed = start.elapsed();
        let is_complete = fleet.is_complete(version) && elapsed >= least;
        let count = fleet.count(version);
        if is_complete || elapsed >= LIMIT {
            match json {
                Some(mut answer) => {
                    answer["complete"] = is_complete.into();
                    answer["processes"] = shown.get("processes").cloned().unwrap_or_else(|| json!([]));
                    print(&to_json(&answer)?)?;
                }
                None => print(&count)?,
            }
            return if is_complete { Ok(()) } else { Err(incomplete(&fleet, version)) };
        }
        if said != count {
            complaint(&count);
            said = count;
        }
        sleep(PAUSE);
    }
}

fn incomplete(fleet: &Fleet, version: u64) -> Failed {
    let behind = fleet.behind(version);
    let named = if behind.is_empty() { "no process is listed".to_owned() } else { behind.join(", ") };
    Failed::Other(format!(
        "after {} s not every process follows: {named}; the override is stored, and they follow when they reach the \
         database",
        LIMIT.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_processes_are_counted() {
        let fleet = |versions: &[Option<u64>]| Fleet {
            processes: versions.iter().map(|version| Process { name: "p".into(), version: *version }).collect(),
        };
        assert_eq!(fleet(&[Some(17), Some(18)]).count(17), "2 of 2 processes at version 17");
        assert!(fleet(&[Some(17), Some(18)]).is_complete(17));
        let behind = fleet(&[Some(17), Some(16), None]);
        assert_eq!((behind.count(17), behind.is_complete(17)), ("1 of 3 processes at version 17".into(), false));
        assert!(!fleet(&[]).is_complete(17));
    }
}
