//! Waits until all processes of the fleet have applied an override.

use std::thread::sleep;
use std::time::{Duration, Instant};

use cyanotype::settings::Settings;
use serde::Deserialize;
use serde_json::{Value, json};

use super::view::read;
use crate::client::Client;
use crate::error::CommandError;
use crate::print::{print, print_error, to_json};

/// Maximum time to wait.
const TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

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

/// Waits, and prints how many processes have applied the override; with `json`, prints the override and the processes as JSON.
pub(super) fn wait(
    client: &Client,
    settings: &Settings,
    version: u64,
    json: Option<Value>,
) -> Result<(), CommandError> {
    let start = Instant::now();
    // A process is listed only after its first poll.
    let min_wait = settings.log.override_poll() + Duration::from_secs(1);
    let mut last_count = String::new();
    loop {
        let response = client.get("/log/fleet")?;
        let fleet: Fleet = read(response.clone())?;
        let elapsed = start.elapsed();
        let is_complete = fleet.is_complete(version) && elapsed >= min_wait;
        let count = fleet.count(version);
        if is_complete || elapsed >= TIMEOUT {
            match json {
                Some(mut output) => {
                    output["complete"] = is_complete.into();
                    output["processes"] = response.get("processes").cloned().unwrap_or_else(|| json!([]));
                    print(&to_json(&output)?)?;
                }
                None => print(&count)?,
            }
            return if is_complete { Ok(()) } else { Err(incomplete(&fleet, version)) };
        }
        if last_count != count {
            print_error(&count);
            last_count = count;
        }
        sleep(POLL_INTERVAL);
    }
}

fn incomplete(fleet: &Fleet, version: u64) -> CommandError {
    let behind = fleet.behind(version);
    let missing = if behind.is_empty() { "no process is listed".to_owned() } else { behind.join(", ") };
    CommandError::Other(format!(
        "the override is stored, but was not applied by all processes within {} s: {missing}; they apply it when they reach \
         the database",
        TIMEOUT.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_at_the_version_are_counted() {
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
