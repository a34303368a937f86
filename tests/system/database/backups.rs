//! `app db backup`: an online backup of SQLite.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Service, Stopped};
use system_tests::sql::DirectConnection;
use system_tests::{binaries, wait};

use crate::api::{Engine, member, start, text};

const LIMIT: Duration = Duration::from_secs(60);

fn backup(service: &Running, file: &Path) -> Service {
    service.sibling().arg("db").arg("backup").arg(file)
}

#[test]
fn a_backup_under_load_has_each_acknowledged_order() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::<String>::new())));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            let (client, token) = (app.client(), ada.token.clone());
            thread::spawn(move || {
                // Large enough that the copy takes several steps.
                let lines: Vec<Value> =
                    (0..80).map(|n| json!({"sku": format!("A-{n}"), "quantity": 1, "unit_price_cents": 5})).collect();
                let order = json!({ "lines": lines });
                let mut failed = 0;
                while !stop.load(Ordering::Relaxed) {
                    match client.post("/orders").bearer(&token).json(&order).try_send() {
                        Ok(reply) if reply.status == 201 => {
                            acknowledged.lock().expect("no writer panics").push(text(&reply.json(), "id"));
                        }
                        _ => failed += 1,
                    }
                }
                failed
            })
        })
        .collect();
    let count = || acknowledged.lock().expect("no writer panics").len();
    wait::until("orders", Duration::from_secs(60), || (count() > 100).then_some(()));

    let target = Scratch::new("backup");
    let file = target.join("backup.db");
    let before = acknowledged.lock().expect("no writer panics").clone();
    let Stopped { status, stdout, stderr } = backup(&app, &file).run();
    let after = count();
    assert_eq!((status.code(), &*stderr), (Some(0), ""));
    assert!(stdout.ends_with(" bytes, complete and checked\n"), "{stdout}");
    assert!(after > before.len(), "writers were not held up: {} and {after} orders", before.len());
    wait::until("orders after the backup", Duration::from_secs(30), || (count() > after).then_some(()));
    stop.store(true, Ordering::Relaxed);
    let failed: usize = writers.into_iter().map(|writer| writer.join().expect("the writer ends")).sum();
    assert_eq!(failed, 0, "no order failed");
    app.stop();

    assert_eq!(target.names(), ["backup.db"]);
    assert_eq!(fs::metadata(&file).expect("the file exists").permissions().mode() & 0o777, 0o600);
    let mut copy = DirectConnection::open(&format!("sqlite://{}", file.display()));
    assert_eq!(copy.texts("PRAGMA integrity_check"), ["ok"]);
    let incomplete =
        "SELECT hex(id) FROM orders WHERE (SELECT count(*) FROM order_lines WHERE order_id = orders.id) <> 80";
    assert_eq!(copy.texts(incomplete), [""; 0], "each order has its lines");
    drop(copy);

    let restored =
        Service::new(&binaries::app()).env("APP__DATABASE__URL", format!("sqlite://{}", file.display())).start();
    for id in &before {
        let order = restored.get(&format!("/orders/{id}")).bearer(&ada.token).send();
        assert_eq!(order.status, 200, "{id}: {}", order.text());
    }
    restored.stop();
}

/// Fills the database, so that a backup takes a while: at most 200 MiB are copied in a second.
fn fill(app: &Running, mebibytes: u32) -> DirectConnection {
    let mut database = DirectConnection::open(&format!("sqlite://{}", app.scratch().join("app.db").display()));
    database.run(&format!(
        "CREATE TABLE ballast (bytes BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {mebibytes})
         INSERT INTO ballast SELECT zeroblob(1 << 20) FROM n"
    ));
    database
}

fn unfinished(file: &Path) -> PathBuf {
    file.with_extension("db.unfinished")
}

fn wait_begun(file: &Path) {
    wait::until("the copy to have begun", Duration::from_secs(30), || {
        (fs::metadata(unfinished(file)).ok()?.len() > 1 << 20).then_some(())
    });
}

#[test]
fn a_backup_has_the_state_of_its_beginning() {
    let app = start(Engine::Sqlite.single_process());
    member(&app, "ada");
    let mut database = fill(&app, 100);
    let target = Scratch::new("backup");
    let file = target.join("backup.db");
    let command = backup(&app, &file);
    let running = thread::spawn(move || command.run());
    wait_begun(&file);
    // A write after the beginning neither waits, nor is it in the copy, nor does the copy begin again.
    database.run("UPDATE users SET name = 'Countess'");
    assert!(!file.exists(), "the copy is not finished yet");
    let written = running.join().expect("the command runs");
    assert_eq!((written.code(), &*written.stderr), (Some(0), ""));
    let copy = DirectConnection::open(&format!("sqlite://{}", file.display())).texts("SELECT name FROM users");
    assert_eq!((copy, database.texts("SELECT name FROM users")), (vec!["ada".to_owned()], vec!["Countess".to_owned()]));
}

#[test]
fn a_stopped_backup_leaves_nothing_behind() {
    let app = start(Engine::Sqlite.single_process());
    drop(fill(&app, 200));
    let target = Scratch::new("backup");
    let file = target.join("backup.db");
    for signal in ["TERM", "INT"] {
        let mut command = backup(&app, &file).spawn_starting();
        wait_begun(&file);
        command.signal(signal);
        assert_eq!(command.wait_exit(LIMIT).code(), Some(1), "{}", command.stderr());
        assert!(command.stderr().contains("the backup was stopped: nothing of it remains"), "{}", command.stderr());
        assert_eq!(target.names(), [""; 0], "{signal}");
    }
}

#[test]
fn the_file_of_a_killed_backup_is_replaced_and_one_in_use_is_not() {
    let app = start(Engine::Sqlite.single_process());
    drop(fill(&app, 200));
    let target = Scratch::new("backup");
    let file = target.join("backup.db");
    let mut command = backup(&app, &file).spawn_starting();
    wait_begun(&file);
    command.signal("KILL");
    command.wait_exit(LIMIT);
    assert_eq!(target.names(), ["backup.db.unfinished"]);
    let other = File::options().write(true).open(unfinished(&file)).expect("it is there");
    other.lock().expect("no process has it");
    let refused = backup(&app, &file).run();
    assert_eq!(refused.code(), Some(1));
    assert!(refused.stderr.contains("another process writes"), "{}", refused.stderr);
    assert_eq!(target.names(), ["backup.db.unfinished"]);
    drop(other);
    let replaced = backup(&app, &file).run();
    // Where it takes long, stderr has its progress.
    assert_eq!(replaced.code(), Some(0), "{}", replaced.stderr);
    assert_eq!(target.names(), ["backup.db"]);
}

#[test]
fn a_target_that_cannot_be_written_is_named_and_left_as_it_was() {
    let app = start(Engine::Sqlite.single_process());
    let target = Scratch::new("backup");
    let refusal = |file: &Path| {
        let Stopped { status, stdout, stderr } = backup(&app, file).run();
        assert_eq!((status.code(), &*stdout), (Some(1), ""), "{}", file.display());
        stderr
    };
    let existing = target.join("existing.db");
    scratch::write(&existing, "mine");
    assert!(refusal(&existing).contains("existing.db exists, and a backup never replaces a file"));
    assert_eq!(scratch::read(&existing), "mine");
    let link = target.join("link.db");
    symlink(target.join("nowhere"), &link).expect("the name is free");
    assert!(refusal(&link).contains("link.db exists"));
    assert!(refusal(&app.scratch().join("app.db")).contains("app.db exists"), "the database itself");
    assert!(refusal(target.path()).contains("exists"));
    let missing = refusal(&target.join("no/such/directory.db"));
    assert!(missing.contains("No such file or directory"), "{missing}");
    let below_a_file = refusal(&existing.join("backup.db"));
    assert!(below_a_file.contains("Not a directory"), "{below_a_file}");
    let proc = refusal(Path::new("/proc/backup.db"));
    assert!(proc.contains("cannot write the backup: /proc/backup.db.unfinished: "), "{proc}");
    assert_eq!(target.names(), ["existing.db", "link.db"]);
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let app = start(Engine::Sqlite.single_process());
    member(&app, "ada");
    let target = Scratch::new("backup");
    // A limit on the size of files stands for the disk's: 64 KiB.
    let mut command = Command::new("bash");
    let url = format!("sqlite://{}", app.scratch().join("app.db").display());
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" db backup \"$1\"";
    let command = command.args(["-c", script]).arg(binaries::app()).arg(target.join("backup.db"));
    let output = command.env("APP__DATABASE__URL", url).output().expect("bash runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write the backup: "), "{stderr}");
    assert_eq!(target.names(), [""; 0]);
}

#[test]
fn other_databases_are_refused_with_what_to_do() {
    let target = Scratch::new("backup");
    let run = |url: &str| {
        let app = Service::new(&binaries::app()).env("APP__DATABASE__URL", url);
        let Stopped { status, stderr, .. } = app.arg("db").arg("backup").arg(target.join("backup.db")).run();
        (status.code(), stderr)
    };
    // Nothing listens there: no connection is opened.
    let (code, stderr) = run("postgres://ada:hunter2@127.0.0.1:1/shop");
    assert_eq!(code, Some(78));
    assert!(
        stderr.contains("pg_dump --format=custom --file='")
            && stderr.contains("--dbname='postgres://127.0.0.1:1/shop'")
    );
    assert!(!stderr.contains("hunter2"), "{stderr}");
    let (code, stderr) = run("sqlite::memory:");
    assert!(code == Some(78) && stderr.contains("in memory"), "{stderr}");
    let missing = target.join("missing.db");
    let (code, stderr) = run(&format!("sqlite://{}", missing.display()));
    assert!(code == Some(69) && stderr.contains("cannot be opened"), "{stderr}");
    scratch::write(&target.join("text.db"), "text ".repeat(1000));
    let (code, stderr) = run(&format!("sqlite://{}", target.join("text.db").display()));
    assert!(code == Some(69) && stderr.contains("is not a SQLite database"), "{stderr}");
    assert_eq!(target.names(), ["text.db"]);
}

#[test]
fn a_backup_is_complete_when_no_one_reads_its_output() {
    let app = start(Engine::Sqlite.single_process());
    let target = Scratch::new("backup");
    let url = format!("sqlite://{}", app.scratch().join("app.db").display());
    let command = |name: &str| {
        let mut command = Command::new(binaries::app());
        command.args(["db", "backup"]).arg(target.join(name)).env("APP__DATABASE__URL", &url).stderr(Stdio::null());
        command
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(command("a.db").stdout(writer).status().expect("it runs").code(), Some(0));
    let full = File::options().write(true).open("/dev/full").expect("/dev/full exists");
    assert_eq!(command("b.db").stdout(full).status().expect("it runs").code(), Some(1), "the line was not written");
    assert_eq!(target.names(), ["a.db", "b.db"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut status = Command::new(binaries::app());
    let status = status.args(["db", "status"]).env("APP__DATABASE__URL", &url).stdout(writer).status();
    assert_eq!(status.expect("it runs").code(), Some(0));
}
