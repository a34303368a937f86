//! The database: reach, version, migrations, write-ahead log; and the clock of its server.

use std::path::Path;
use std::time::Duration;

use super::check_result::CheckResult;
use super::clock;
use super::examined_process::ExaminedProcess;
use super::nearest::nearest;
use super::units::size;
use crate::database::{DatabaseError, EngineState, Inspection, MigrationState, Migrations, Options, inspect};
use crate::settings::Settings;

pub(super) const NAME: &str = "database";
pub(super) const MIGRATIONS: &str = "migrations";
pub(super) const WAL: &str = "wal";
/// The maximum time for a connection.
const LIMIT: Duration = Duration::from_secs(5);
/// The oldest version that is tested.
const OLDEST_POSTGRES: u32 = 15;
/// More pending migrations are only counted.
const SHOWN: usize = 4;
/// A larger log was not written back to the database for long.
const LARGE_WAL: u64 = 64 << 20;

/// The results about the database, then the one about the clock.
pub(super) async fn check(
    settings: &Settings,
    migrations: Vec<(&'static str, Migrations)>,
    examined: &ExaminedProcess,
) -> Vec<CheckResult> {
    let mut options = Options::from(&settings.database);
    options.acquire_timeout = options.acquire_timeout.min(LIMIT);
    let inspected = tokio::time::timeout(LIMIT * 2, inspect(&options, migrations)).await;
    let inspection = match inspected {
        Ok(Ok(inspection)) => inspection,
        Ok(Err(DatabaseError::OpenFailed(why))) => return unusable(why.found(), why.remedy()),
        Ok(Err(error)) => return unusable(error.to_string(), None),
        Err(_) => return unusable(format!("the database did not answer within {} s", (LIMIT * 2).as_secs()), None),
    };
    let state = migration_state(&inspection, options.migrate, examined);
    match &inspection.engine {
        EngineState::Postgres { ahead, .. } => vec![postgres(&inspection, &options), state, clock::check(Some(*ahead))],
        EngineState::Sqlite { .. } => {
            let mut results = vec![sqlite(&inspection, examined), state];
            results.extend(wal(&inspection, examined));
            results.push(clock::check(None));
            results
        }
    }
}

fn unusable(found: String, remedy: Option<&str>) -> Vec<CheckResult> {
    let remedy = remedy.unwrap_or("check database.url, and that the server runs");
    vec![CheckResult::fail(NAME, found, remedy), clock::check(None)]
}

fn postgres(inspection: &Inspection, options: &Options) -> CheckResult {
    let Inspection { address, version, size: bytes, .. } = inspection;
    let found = format!("{version} at {address}, {}", size(*bytes));
    let EngineState::Postgres { major_version, is_read_only, max_connections, unverified_host, .. } =
        &inspection.engine
    else {
        return CheckResult::ok(NAME, found);
    };
    let own = options.max_descriptors();
    if *is_read_only {
        let remedy = "set database.url to the primary, or default_transaction_read_only to off";
        return CheckResult::fail(NAME, format!("{found}, is read-only"), remedy);
    }
    if own > *max_connections {
        return CheckResult::warn(
            NAME,
            format!("{found}, accepts {max_connections} connections; this process may open {own}"),
            "lower database.max_connections, or raise max_connections of the server",
        );
    }
    if *major_version < OLDEST_POSTGRES {
        let remedy = format!("upgrade the server: {OLDEST_POSTGRES} is the oldest version that is tested");
        return CheckResult::warn(NAME, found, remedy);
    }
    if let Some(host) = unverified_host {
        return CheckResult::warn(
            NAME,
            format!(
                "{found}, and the certificate of {host} is not verified: who controls the network can read and change what is sent"
            ),
            "add to database.url: ?sslmode=verify-full&sslrootcert=FILE, the certificate of the server's authority",
        );
    }
    CheckResult::ok(NAME, found)
}

fn sqlite(inspection: &Inspection, examined: &ExaminedProcess) -> CheckResult {
    let Inspection { version, size: bytes, .. } = inspection;
    let EngineState::Sqlite { file, exists, .. } = &inspection.engine else { return CheckResult::ok(NAME, version) };
    let Some(file) = file else {
        return CheckResult::warn(
            NAME,
            format!("{version} in memory"),
            "set database.url: the data is lost with the process",
        );
    };
    let shown = file.display();
    let file = examined.path(file);
    let directory = nearest(file.parent().unwrap_or(Path::new("/")));
    if !directory.is_dir() {
        let found = format!("{version}: {} is not a directory", examined.shown(&directory));
        return CheckResult::fail(NAME, found, "set database.url to a file in a directory of the service");
    }
    let may_write = |path: &Path| examined.may_write(path).unwrap_or_default();
    if (*exists && !may_write(&file)) || !may_write(&directory) {
        return CheckResult::fail(
            NAME,
            format!("{version}: {} cannot write {shown}", examined.user()),
            "give it the file and its directory: SQLite creates files beside the database",
        );
    }
    match exists {
        true => CheckResult::ok(NAME, format!("{version}: {shown}, {}", size(*bytes))),
        false => CheckResult::ok(NAME, format!("{version}: {shown} does not exist yet; the start creates it")),
    }
}

fn migration_state(inspection: &Inspection, migrates_at_start: bool, examined: &ExaminedProcess) -> CheckResult {
    let list = |state: MigrationState| {
        let names = inspection.migrations.iter().filter_map(|it| {
            let names: Vec<String> = it.in_state(state).map(|it| format!("V{}__{}", it.version, it.name)).collect();
            (!names.is_empty()).then(|| format!("{} {}", it.blueprint, names.join(", ")))
        });
        names.collect::<Vec<_>>().join("; ")
    };
    let newer = list(MigrationState::Newer);
    if !newer.is_empty() {
        let mut of = inspection.migrations.iter().filter(|it| it.in_state(MigrationState::Newer).next().is_some());
        let writer = of.find_map(|it| it.written_by.clone()).unwrap_or_else(|| "a newer version".into());
        return CheckResult::fail(
            MIGRATIONS,
            format!("the schema was written by {writer}: {newer}"),
            "start that version or a newer one, or restore a backup from before the upgrade",
        );
    }
    let changed = list(MigrationState::Changed);
    if !changed.is_empty() {
        let remedy = "restore the files, and add new migrations instead";
        return CheckResult::fail(MIGRATIONS, format!("changed after they had run: {changed}"), remedy);
    }
    let pending = list(MigrationState::Pending);
    match (pending.is_empty(), examined.running) {
        (true, _) => CheckResult::ok(MIGRATIONS, "all have run"),
        (false, None) if !migrates_at_start => CheckResult::fail(
            MIGRATIONS,
            format!("pending, and database.migrate_at_start is false: {pending}"),
            "run `app db migrate` before the start",
        ),
        (false, None) => {
            let count: usize =
                inspection.migrations.iter().map(|it| it.in_state(MigrationState::Pending).count()).sum();
            let names = if count > SHOWN { String::new() } else { format!(": {pending}") };
            CheckResult::ok(MIGRATIONS, format!("the start will run {count}{names}"))
        }
        (false, Some(_)) => {
            let remedy = "restart the service: a newer program was installed, or another database is configured";
            CheckResult::warn(MIGRATIONS, format!("pending: {pending}"), remedy)
        }
    }
}

fn wal(inspection: &Inspection, examined: &ExaminedProcess) -> Option<CheckResult> {
    let EngineState::Sqlite { file: Some(file), exists, journal_mode, wal_bytes } = &inspection.engine else {
        return None;
    };
    if let Some(result) = network_file_system(file) {
        return Some(result);
    }
    let found = format!("journal mode {journal_mode}, {} in the log", size(*wal_bytes));
    Some(match (journal_mode.as_str(), examined.running) {
        _ if !exists || journal_mode.is_empty() => CheckResult::ok(WAL, "the start sets the journal mode"),
        ("wal", _) if *wal_bytes > LARGE_WAL => CheckResult::warn(
            WAL,
            found,
            "a reader blocks the checkpoint: end other programs that have the database open; else restart the service",
        ),
        ("wal", _) => CheckResult::ok(WAL, found),
        (_, None) => CheckResult::ok(WAL, format!("{found}; the start changes it to wal")),
        (_, Some(_)) => CheckResult::warn(WAL, found, "another program has changed it: restart the service"),
    })
}

/// What a start warns of.
pub(super) fn network_file_system(file: &Path) -> Option<CheckResult> {
    // linux/magic.h: NFS, SMB, CIFS, SMB2, 9p, FUSE, Ceph.
    const NETWORK: [(u64, &str); 7] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9p"),
        (0x6573_5546, "FUSE"),
        (0x00c3_6400, "Ceph"),
    ];
    let found = rustix::fs::statfs(nearest(file)).ok()?;
    let kind = u64::try_from(found.f_type).ok()?;
    let (_, name) = NETWORK.iter().find(|(magic, _)| *magic == kind)?;
    Some(CheckResult::warn(
        WAL,
        format!("{} is on {name}: SQLite's log needs memory that processes share", file.display()),
        "move the database to a local disk, or use PostgreSQL",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::check_result::Status;
    use super::*;
    use crate::database::tests::options;

    #[test]
    fn another_machine_without_a_verified_certificate_is_a_warning() {
        let found_of = |unverified_host: Option<&str>| {
            let engine = EngineState::Postgres {
                major_version: 17,
                ahead: jiff::SignedDuration::ZERO,
                is_read_only: false,
                unverified_host: unverified_host.map(str::to_owned),
                max_connections: 100,
            };
            let (address, version) = ("postgres://db:5432/shop".into(), "PostgreSQL 17.1".into());
            let inspection = Inspection { address, version, size: 0, migrations: Vec::new(), engine };
            postgres(&inspection, &options("postgres://db/shop"))
        };
        assert_eq!(found_of(None).status, Status::Ok);
        let warned = found_of(Some("db"));
        assert_eq!(warned.status, Status::Warn);
        assert!(warned.line().contains("the certificate of db is not verified"), "{}", warned.line());
        assert!(warned.line().contains("sslmode=verify-full"), "{}", warned.line());
    }
}
