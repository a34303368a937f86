//! The properties of a record that overrides are matched against.

use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::settings::Mode;

/// The properties of a record that determine which overrides and flags apply to it.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordOrigin<'a> {
    /// The blueprint of its request.
    pub blueprint: Option<&'a str>,
    /// The method of its request.
    pub method: &'a str,
    /// The route pattern that matched the path of its request.
    pub route: Option<&'a str>,
    /// The module that created it; empty if there is none.
    pub target: &'a str,
    /// Whether it is a log line: `log.levels` applies only to these.
    pub is_line: bool,
    /// The level from which its request is logged because of a debug token or a flag.
    pub debug: Option<Level>,
    /// The mode that flags set for its request.
    pub flag_mode: Option<Mode>,
    /// The level that flags set for its request.
    pub flag_level: Option<Level>,
}

impl<'a> RecordOrigin<'a> {
    /// The properties of a record of this request, created by this module.
    #[must_use]
    pub fn new(request: Option<&'a RequestIdentity>, target: &'a str) -> Self {
        match request {
            Some(request) => {
                let values = request.log_values();
                Self {
                    blueprint: request.blueprint(),
                    method: request.parts.method.as_str(),
                    route: request.route(),
                    target,
                    is_line: false,
                    debug: values.debug(),
                    flag_mode: values.flags.mode,
                    flag_level: values.flags.level,
                }
            }
            None => Self { target, ..Self::default() },
        }
    }
}
