//! Values set by feature flags, and the values that one request has in addition to the policy.

use crate::level::Level;
use crate::settings::Mode;

/// Values set by feature flags. Mode and level replace those of the settings; overrides take precedence over them. `debug`
/// makes a request more verbose, as a debug token does.
///
/// ```
/// use cyanotype_telemetry::Level;
/// use cyanotype_telemetry::effective::FlagValues;
///
/// let flags = FlagValues { debug: Some(Level::Debug), ..FlagValues::default() };
/// assert_eq!(flags.min_level(), Some(Level::Debug));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlagValues {
    /// Replaces `log.mode`.
    pub mode: Option<Mode>,
    /// Replaces `log.level`.
    pub level: Option<Level>,
    /// The level from which a request is logged, if `log.level` is higher. Ignored for the process.
    pub debug: Option<Level>,
}

impl FlagValues {
    /// The lowest level that is set.
    #[must_use]
    pub fn min_level(&self) -> Option<Level> {
        self.level.into_iter().chain(self.debug).min()
    }
}

/// The log level of a request's debug token, and the values of its flags.
///
/// They are packed into an integer with 3 bits per value: 0 if the value is unset, otherwise its index plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RequestLogValues {
    /// The level of the request's debug token.
    pub token: Option<Level>,
    pub flags: FlagValues,
}

const FIELD_MASK: u16 = 0b111;
const TOKEN_SHIFT: u16 = 0;
const MODE_SHIFT: u16 = 3;
const LEVEL_SHIFT: u16 = 6;
const DEBUG_SHIFT: u16 = 9;

impl RequestLogValues {
    /// The mask of the flags' bits.
    pub(crate) const FLAGS: u16 = FIELD_MASK << MODE_SHIFT | FIELD_MASK << LEVEL_SHIFT | FIELD_MASK << DEBUG_SHIFT;

    pub(crate) fn to_bits(self) -> u16 {
        let Self { token, flags } = self;
        let level = |level: Option<Level>| level.map_or(0, |level| level as u16 + 1);
        let mode = flags.mode.map_or(0, |mode| mode as u16 + 1);
        level(token) << TOKEN_SHIFT
            | mode << MODE_SHIFT
            | level(flags.level) << LEVEL_SHIFT
            | level(flags.debug) << DEBUG_SHIFT
    }

    pub(crate) fn from_bits(bits: u16) -> Self {
        if bits == 0 {
            return Self::default();
        }
        let index = |at: u16| usize::from(bits >> at & FIELD_MASK).checked_sub(1);
        let level = |at| Level::ALL.get(index(at)?).copied();
        let mode = index(MODE_SHIFT).and_then(|index| Mode::ALL.get(index).copied());
        Self {
            token: level(TOKEN_SHIFT),
            flags: FlagValues { mode, level: level(LEVEL_SHIFT), debug: level(DEBUG_SHIFT) },
        }
    }

    /// The level from which the request is logged: the lower one of its debug token and its flag.
    pub(crate) fn debug(&self) -> Option<Level> {
        self.token.into_iter().chain(self.flags.debug).min()
    }
}
