//! Values of SQL statements are never logged, at any level.

use system_tests::binaries;
use system_tests::peers::postgres::Postgres;
use system_tests::service::Service;

use crate::api::member;

#[test]
fn statement_values_are_never_logged() {
    let app = Service::new(&binaries::app())
        .env("APP__DATABASE__URL", Postgres::shared().database())
        .env("APP__LOG__LEVEL", "trace")
        .env("APP__LOG__LEVELS__TOKIO_POSTGRES", "trace")
        .start();
    member(&app, "ada");
    let stderr = app.stop().stderr;
    assert!(!stderr.contains("argon2"), "stderr contains a password hash");
    assert!(!stderr.contains("executing statement"), "stderr contains the driver's lines");
}
