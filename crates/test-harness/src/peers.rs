//! Real peers of the service. Each is set up on first use, in `target/peers/`.

pub mod postgres;
pub mod prepared;
pub mod supervisor;
pub mod supervisor_conf;
pub mod venv;
