//! Only the service's user can read the files of SQLite.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use system_tests::binaries;
use system_tests::scratch::Scratch;
use system_tests::service::Service;

use crate::api::member;

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    metadata.permissions().mode() & 0o777
}

#[test]
fn the_database_and_its_directory_are_private() {
    let scratch = Scratch::new("files");
    let directory = scratch.join("data").join("deeper");
    let database = directory.join("app.db");
    let app = Service::new(&binaries::app()).env("APP__DATABASE__URL", format!("sqlite://{}", database.display()));
    let app = app.start();
    member(&app, "ada");
    assert_eq!((mode(&scratch.join("data")), mode(&directory)), (0o700, 0o700));
    for file in ["app.db", "app.db-wal", "app.db-shm", "app.db.lock"] {
        assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
    }
    app.stop();
}

/// The user and the group of a file.
fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    (metadata.uid(), metadata.gid())
}

#[test]
fn files_that_root_creates_belong_to_the_owner_of_the_directory() {
    const OTHER: u32 = 65_534;
    let scratch = Scratch::new("files");
    // Only root can give a directory away; for other users it is their own.
    let is_root = chown(scratch.path(), Some(OTHER), Some(OTHER)).is_ok();
    let expected = owner(scratch.path());
    assert_eq!(expected.0 == OTHER, is_root);
    let directory = scratch.join("data").join("deeper");
    let url = format!("sqlite://{}", directory.join("app.db").display());
    let service = || Service::new(&binaries::app()).env("APP__DATABASE__URL", &url);
    assert_eq!(service().arg("db").arg("migrate").run().code(), Some(0));
    let app = service().start();
    member(&app, "ada");
    for path in ["data", "data/deeper"] {
        assert_eq!(owner(&scratch.join(path)), expected, "{path}");
    }
    for file in ["app.db", "app.db-wal", "app.db-shm", "app.db.lock"] {
        assert_eq!(owner(&directory.join(file)), expected, "{file}");
    }
    app.stop();
}
