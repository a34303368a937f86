//! The peers of the tests' harness that tasks set up too.

#[allow(dead_code)]
#[path = "../../../tests/src/peers/postgres.rs"]
pub mod postgres;
#[path = "../../../tests/src/peers/prepared.rs"]
pub mod prepared;
#[allow(dead_code)]
#[path = "../../../tests/src/peers/supervisor.rs"]
pub mod supervisor;
#[path = "../../../tests/src/peers/supervisor_conf.rs"]
pub mod supervisor_conf;
#[allow(dead_code)]
#[path = "../../../tests/src/peers/venv.rs"]
pub mod venv;
