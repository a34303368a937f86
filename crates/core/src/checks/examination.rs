//! All checks of the running service, or of a start here.

use std::sync::Arc;

use serde::Serialize;

use super::bounded::{self, Outcome, Running};
use super::check_result::{CheckResult, Status};
use super::examined_process::ExaminedProcess;
use super::{
    clock, database, descriptors, disk, management, ports, process, sentry, settings, spool, stderr, time_zone,
};
use crate::database::{Migrations, sqlite_file};
use crate::settings::{ManagementSettings, Settings};

/// The result of all checks.
#[derive(Debug, Clone, Serialize)]
pub struct Examination {
    /// The most serious result.
    pub status: Status,
    /// The running service; `None` for a start here.
    pub pid: Option<i32>,
    /// What each check found.
    pub checks: Vec<CheckResult>,
}

impl Examination {
    /// The examination where the settings cannot be used: the checks that need none.
    #[must_use]
    pub fn of_invalid_settings(reason: &str) -> Self {
        let time_zone = time_zone::check(&ExaminedProcess::start_here());
        let checks = vec![settings::invalid(reason), clock::check(None), time_zone];
        Self { status: Status::Fail, pid: None, checks }
    }
}

/// What happens while the checks run.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A check takes more than two seconds.
    Slow(&'static str),
    /// A check has ended.
    Found(&'a CheckResult),
}

/// What is examined.
pub(crate) struct Environment {
    pub settings: Settings,
    /// The migrations of the enabled blueprints.
    pub migrations: Vec<(&'static str, Migrations)>,
    /// Whether the blueprints and their settings fit together.
    pub registry: Result<(), String>,
}

/// Runs all checks. They run at the same time; their results are passed on in a fixed order.
pub(crate) fn examine(environment: Environment, mut progress: impl FnMut(Progress<'_>)) -> Examination {
    let Environment { settings, migrations, registry } = environment;
    let settings = Arc::new(settings);
    let finding = {
        let settings = Arc::clone(&settings);
        bounded::begin(process::NAME, move || find(&settings.management))
    };
    let (examined, found) = finding.wait(|| progress(Progress::Slow(process::NAME)));
    progress(Progress::Found(&found));
    let mut checks = vec![found];
    let pid = examined.running;
    for running in begin(&settings, &Arc::new(examined), migrations, registry) {
        let name = running.name;
        let results = running.wait(|| progress(Progress::Slow(name)));
        results.iter().for_each(|result| progress(Progress::Found(result)));
        checks.extend(results);
    }
    let status = checks.iter().map(|result| result.status).max().unwrap_or(Status::Ok);
    Examination { status, pid, checks }
}

impl Outcome for (ExaminedProcess, CheckResult) {
    fn of_failure(result: CheckResult) -> Self {
        (ExaminedProcess::start_here(), result)
    }
}

fn find(management: &ManagementSettings) -> (ExaminedProcess, CheckResult) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(process::find(management)),
        Err(error) => (
            ExaminedProcess::start_here(),
            CheckResult::fail(process::NAME, error.to_string(), "raise the limits (ulimit -a)"),
        ),
    }
}

fn begin(
    settings: &Arc<Settings>,
    examined: &Arc<ExaminedProcess>,
    migrations: Vec<(&'static str, Migrations)>,
    registry: Result<(), String>,
) -> Vec<Running<Vec<CheckResult>>> {
    let one = |name, check: fn(&Settings, &ExaminedProcess) -> CheckResult| {
        let (settings, examined) = (Arc::clone(settings), Arc::clone(examined));
        bounded::begin(name, move || vec![check(&settings, &examined)])
    };
    let of_settings = {
        let (settings, examined) = (Arc::clone(settings), Arc::clone(examined));
        bounded::begin(settings::NAME, move || vec![settings::check(&settings, registry, &examined)])
    };
    let of_database = {
        let (settings, examined) = (Arc::clone(settings), Arc::clone(examined));
        bounded::begin(database::NAME, move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(database::check(&settings, migrations, &examined)),
                Err(error) => {
                    vec![CheckResult::fail(database::NAME, error.to_string(), "raise the limits (ulimit -a)")]
                }
            }
        })
    };
    let of_socket = {
        let (settings, examined) = (Arc::clone(settings), Arc::clone(examined));
        bounded::begin(ports::SOCKET, move || ports::check_socket(&settings, &examined).into_iter().collect())
    };
    vec![
        of_settings,
        of_database,
        one(disk::NAME, disk::check),
        one(sentry::NAME, |settings, _| sentry::check(settings)),
        one(spool::NAME, spool::check),
        one(stderr::NAME, |settings, examined| stderr::check(examined, settings)),
        one(descriptors::NAME, descriptors::check),
        one(ports::API, ports::check_api),
        one(ports::MANAGEMENT, ports::check_management),
        of_socket,
        one(management::NAME, |settings, _| management::check(&settings.management)),
        one(time_zone::NAME, |_, examined| time_zone::check(examined)),
    ]
}

/// What a start warns of besides the limit on open files: what would be lost or wrong later. It asks no server.
pub(crate) fn at_start(settings: &Settings) -> Vec<CheckResult> {
    let examined = ExaminedProcess::start_here();
    let low_disk = Some(disk::check(settings, &examined)).filter(|result| result.status != Status::Ok);
    let file = sqlite_file(&settings.database.url);
    let network = file.and_then(|file| database::network_file_system(&file));
    [clock::at_start(), low_disk, network, spool::at_start(settings, &examined)].into_iter().flatten().collect()
}
