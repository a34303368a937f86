use cyanotype_telemetry::settings::Log;

use super::Rules;
use crate::client_address::ClientAddressResolver;

/// What is recorded of responses and of their requests, as far as it does not change while the service runs.
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) rules: Rules,
    pub(super) max_bytes: usize,
    pub(super) body_from_status: u16,
    pub(super) request_max_bytes: usize,
    pub(super) clients: ClientAddressResolver,
}

impl Config {
    /// As these settings have it, with these rules for single routes.
    #[must_use]
    pub fn new(log: &Log, clients: ClientAddressResolver, rules: Rules) -> Self {
        Self {
            rules,
            max_bytes: log.response.max_bytes,
            body_from_status: log.response.body_from_status,
            request_max_bytes: log.request.max_bytes,
            clients,
        }
    }
}
