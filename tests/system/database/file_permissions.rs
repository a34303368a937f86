//! Only the service's user can read the files of SQLite.

use std::fs;
use std::os::unix::fs::PermissionsExt;
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
