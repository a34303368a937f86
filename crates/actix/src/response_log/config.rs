use cyanotype_telemetry::settings::{ClientTextLimits, LogSettings};

use super::Rules;
use crate::client_address::ClientAddressResolver;

/// The part of the response-log configuration that is fixed at startup.
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) rules: Rules,
    pub(super) max_bytes: usize,
    pub(super) body_from_status: u16,
    pub(super) request_max_bytes: usize,
    pub(super) client_text_limits: ClientTextLimits,
    pub(super) address_resolver: ClientAddressResolver,
}

impl Config {
    /// The configuration from these settings, with these rules for blueprints and routes.
    #[must_use]
    pub fn new(log: &LogSettings, address_resolver: ClientAddressResolver, rules: Rules) -> Self {
        Self {
            rules,
            max_bytes: log.response.max_bytes,
            body_from_status: log.response.body_from_status,
            request_max_bytes: log.request.max_bytes,
            client_text_limits: log.lines.client_text_limits(),
            address_resolver,
        }
    }
}
