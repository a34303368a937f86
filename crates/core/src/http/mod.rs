//! The way of a request through the service; the order of these layers stands in `service.rs`.

pub(crate) mod client_address;
pub(crate) mod context;
pub(crate) mod failures;
pub(crate) mod recorded_body;
pub(crate) mod response_log;
pub(crate) mod root_span;
