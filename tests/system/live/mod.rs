//! What is recorded is changed while the service runs.

mod fleet;
