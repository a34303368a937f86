//! The middleware between the server and the handlers; `server/app.rs` sets its order.

pub(crate) mod compression;
pub(crate) mod conditional_layer;
pub(crate) mod context;
pub(crate) mod cors;
pub(crate) mod errors;
pub(crate) mod gate;
pub(crate) mod in_flight;
pub(crate) mod optional_layer;
pub(crate) mod preflights;
pub(crate) mod rate_limit;
pub(crate) mod response_headers;
pub(crate) mod routing;
pub(crate) mod timeout;
