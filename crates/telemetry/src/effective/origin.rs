//! What overrides look at of a record.

use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::settings::Mode;

/// Where a record comes from, as far as overrides depend on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// The blueprint of its request.
    pub blueprint: Option<&'a str>,
    /// The method of its request.
    pub method: &'a str,
    /// The pattern that the path of its request fits.
    pub route: Option<&'a str>,
    /// The module that made it; empty when there is none.
    pub target: &'a str,
    /// Whether it is a logger line: those have levels by module in the settings, too.
    pub is_line: bool,
    /// The level that a debug token or a flag raises its request to.
    pub debug: Option<Level>,
    /// The mode that flags set for its request.
    pub flag_mode: Option<Mode>,
    /// The level that flags set for its request.
    pub flag_level: Option<Level>,
}

impl<'a> Origin<'a> {
    /// A record of this request, made by this module.
    #[must_use]
    pub fn new(request: Option<&'a RequestIdentity>, target: &'a str) -> Self {
        match request {
            Some(request) => {
                let own = request.own_values();
                Self {
                    blueprint: request.blueprint(),
                    method: request.parts.method.as_str(),
                    route: request.route(),
                    target,
                    is_line: false,
                    debug: own.debug(),
                    flag_mode: own.flags.mode,
                    flag_level: own.flags.level,
                }
            }
            None => Self { target, ..Self::default() },
        }
    }
}
