//! The way of a request through the service; the order of these layers stands in `service.rs`.

pub(crate) mod answer_headers;
pub(crate) mod asked;
pub(crate) mod client_address;
pub(crate) mod compression;
pub(crate) mod content_type;
pub(crate) mod context;
pub(crate) mod cors;
mod exchange;
pub(crate) mod failures;
pub(crate) mod gate;
pub(crate) mod handler_time;
pub(crate) mod in_flight;
pub(crate) mod limits;
pub(crate) mod optional;
pub(crate) mod preflights;
pub(crate) mod rate_limit;
mod recorded_body;
mod request_body;
pub(crate) mod response_log;
pub(crate) mod root_span;
pub(crate) mod routing;
pub(crate) mod rules;
mod seen;
