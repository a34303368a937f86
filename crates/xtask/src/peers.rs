//! The peers of the tests' harness that tasks set up too.

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
