//! The destination table: which sinks receive which records.
//!
//! [`Policy::destinations`] decides this for every record that the service reports. `app log explain` prints it, and system tests
//! compare it with what supervisord and Sentry received. Two kinds of records are exempt from the log level, and have their own
//! functions here: notices of the logging itself ([`Policy::notice_destinations`]), and lines that were stored until their
//! request failed ([`Policy::retroactive_destinations`]). What a sink reports of its own losses is a notice, too.

use serde::{Deserialize, Serialize};

use crate::level::Level;
use crate::outcome::Outcome;
use crate::settings::{Env, Mode, Settings};

/// The kind of a record: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A log line: `tracing::info!` and similar.
    Line,
    /// A response of the API listener.
    Response,
    /// A breadcrumb, added with [`add_breadcrumb`](crate::add_breadcrumb).
    Breadcrumb,
    /// A caught error, reported with [`capture_exception`](crate::capture_exception).
    Exception,
    /// A message, reported with [`capture_event`](crate::capture_event).
    Message,
    /// An error that no code caught, a panic, or a plain 5xx response.
    Uncaught,
    /// The state of the service itself: start, stop, losses.
    Service,
}

impl Kind {
    /// Every kind, in the order of the table.
    pub const ALL: [Kind; 7] =
        [Kind::Line, Kind::Response, Kind::Breadcrumb, Kind::Exception, Kind::Message, Kind::Uncaught, Kind::Service];

    /// The name in a record's `kind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Line => "line",
            Kind::Response => "response",
            Kind::Breadcrumb => "breadcrumb",
            Kind::Exception => "exception",
            Kind::Message => "message",
            Kind::Uncaught => "uncaught",
            Kind::Service => "service",
        }
    }
}

/// Whether a record's stack trace is written to stderr with its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackPlacement {
    /// Never.
    Never,
    /// Always, if the line is written.
    WithLine,
    /// With the line, unless an event sink accepted the event: Sentry displays the stack better. The
    /// serialized name is public.
    #[serde(rename = "unless_sentry_takes_it")]
    UnlessSentToSentry,
}

/// What Sentry, and every other event sink, receives of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToSentry {
    /// Nothing.
    Nothing,
    /// A breadcrumb, which is stored and sent with the next event of the same request.
    Breadcrumb,
    /// An event.
    Event,
}

/// The destinations of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destinations {
    /// Whether a line is written to stderr.
    pub stderr: bool,
    /// Whether that line includes the stack trace.
    pub stack: StackPlacement,
    /// What Sentry, and every other event sink, receives.
    pub sentry: ToSentry,
    /// Whether it is also a line of Sentry's Logs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logs: bool,
}

impl Destinations {
    const NONE: Destinations =
        Destinations { stderr: false, stack: StackPlacement::Never, sentry: ToSentry::Nothing, logs: false };

    /// Whether a sink receives the record.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self != Self::NONE
    }
}

/// The inputs of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `env`.
    pub env: Env,
    /// `log.mode`.
    pub mode: Mode,
    /// `log.level`; for a log line of a module with its own level in `log.levels`, that level.
    pub level: Level,
    /// `sentry.breadcrumb_level`.
    pub breadcrumb_level: Level,
    /// `sentry.event_level`.
    pub event_level: Level,
    /// Whether there is an event sink: Sentry, if a DSN is set and the feature `sentry` is compiled in, or another one.
    pub sentry: bool,
    /// `sentry.logs`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logs: bool,
}

impl Policy {
    /// The policy of these settings. `sentry` is whether the process has an event sink.
    #[must_use]
    pub fn new(settings: &Settings, sentry: bool) -> Self {
        Self {
            env: settings.env,
            mode: settings.log.mode,
            level: settings.log.level,
            breadcrumb_level: settings.sentry.breadcrumb_level,
            event_level: settings.sentry.event_level,
            sentry,
            logs: settings.sentry.logs,
        }
    }

    /// Whether a log line with an error reports a failure. A line below warning mentions an error that is handled, such as one
    /// that is retried. If it counted as the failure's only record, a 500 could leave nothing but an info line.
    #[must_use]
    pub fn line_reports_failure(&self, level: Level) -> bool {
        level >= Level::Warning.min(self.event_level)
    }

    /// The level of a response's record. `is_refused` is whether the request was refused because of a rate limit or
    /// overload.
    #[must_use]
    pub fn response_level(status: Option<u16>, outcome: Outcome, is_refused: bool) -> Level {
        match status {
            _ if outcome == Outcome::Error => Level::Error,
            Some(_) if is_refused => Level::Warning,
            Some(500..=599) => Level::Error,
            Some(400..=499) => Level::Warning,
            _ => Level::Info,
        }
    }

    /// Whether records that reach the level are written to stderr.
    #[must_use]
    pub fn has_stderr(&self) -> bool {
        matches!(self.mode, Mode::Stderr | Mode::Both)
    }

    /// Whether event sinks receive anything.
    #[must_use]
    pub fn has_sentry(&self) -> bool {
        self.sentry && matches!(self.mode, Mode::Sentry | Mode::Both)
    }

    /// Whether log lines are also sent to Sentry's Logs.
    #[must_use]
    pub fn has_logs(&self) -> bool {
        self.logs && self.has_sentry()
    }

    /// Whether the mode is `off`: nothing is recorded.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.mode == Mode::Off
    }

    /// Which sinks receive a notice of the logging itself, whatever its level: a change of the policy, suppressed repeats, losses.
    /// Except in the mode `off` it is a line on stderr, so that no change and no loss is silent. A change is a breadcrumb, too.
    #[must_use]
    pub fn notice_destinations(&self) -> Destinations {
        let sentry = if self.has_sentry() { ToSentry::Breadcrumb } else { ToSentry::Nothing };
        Destinations { stderr: !self.is_off(), sentry, ..Destinations::NONE }
    }

    /// Which sinks receive a line below the log level once its request has failed.
    #[must_use]
    pub fn retroactive_destinations(&self) -> Destinations {
        let sentry = if self.has_sentry() { ToSentry::Breadcrumb } else { ToSentry::Nothing };
        Destinations { stderr: self.has_stderr(), sentry, ..Destinations::NONE }
    }

    /// The table: which sinks receive a record of this kind and level.
    #[must_use]
    pub fn destinations(&self, kind: Kind, level: Level) -> Destinations {
        if self.is_off() {
            return Destinations::NONE;
        }
        let line = self.has_stderr() && level >= self.level;
        // In dev a failure is always written, with its stack.
        let failure = line || self.env == Env::Dev;
        let event = if self.has_sentry() { ToSentry::Event } else { ToSentry::Nothing };
        let breadcrumb = if self.has_sentry() { ToSentry::Breadcrumb } else { ToSentry::Nothing };
        let breadcrumb_by_level =
            if level >= self.level.max(self.breadcrumb_level) { breadcrumb } else { ToSentry::Nothing };

        match kind {
            Kind::Line => Destinations {
                stderr: line,
                stack: StackPlacement::Never,
                sentry: if level >= self.level.max(self.event_level) { event } else { breadcrumb_by_level },
                logs: self.has_logs() && level >= self.level,
            },
            Kind::Response => Destinations { stderr: line, sentry: breadcrumb_by_level, ..Destinations::NONE },
            Kind::Breadcrumb => Destinations { stderr: line, sentry: breadcrumb, ..Destinations::NONE },
            Kind::Exception => Destinations {
                stderr: failure,
                stack: match (failure, self.env) {
                    (false, _) => StackPlacement::Never,
                    (true, Env::Dev) => StackPlacement::WithLine,
                    (true, Env::Prod) => StackPlacement::UnlessSentToSentry,
                },
                sentry: event,
                logs: false,
            },
            Kind::Message => Destinations { stderr: line, sentry: event, ..Destinations::NONE },
            Kind::Uncaught => Destinations {
                stderr: failure,
                stack: if failure { StackPlacement::WithLine } else { StackPlacement::Never },
                sentry: event,
                logs: false,
            },
            Kind::Service => Destinations { stderr: line, ..Destinations::NONE },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Critical, Debug, Error, Info, Warning};

    const PROD: Policy = Policy {
        env: Env::Prod,
        mode: Mode::Both,
        level: Info,
        breadcrumb_level: Info,
        event_level: Error,
        sentry: true,
        logs: false,
    };
    const DEV: Policy = Policy { env: Env::Dev, ..PROD };

    const NOTHING: &str = "          |       | ";

    /// Destinations as the table's cells: `line | stack | sentry`.
    fn cells(policy: Policy, kind: Kind, level: Level) -> String {
        let destinations = policy.destinations(kind, level);
        format!(
            "{:<9} | {:<5} | {}",
            if destinations.stderr { "stderr" } else { "" },
            match destinations.stack {
                StackPlacement::Never => "",
                StackPlacement::WithLine => "stack",
                StackPlacement::UnlessSentToSentry => "stack?",
            },
            match destinations.sentry {
                ToSentry::Nothing => "",
                ToSentry::Breadcrumb => "breadcrumb",
                ToSentry::Event => "event",
            }
        )
        .split('|')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" | ")
    }

    fn check(policy: Policy, rows: &[(Kind, Level, &str)]) {
        for (kind, level, expected) in rows {
            let expected = expected.split('|').map(str::trim).collect::<Vec<_>>().join(" | ");
            assert_eq!(cells(policy, *kind, *level), expected, "{kind:?} at {level} under {policy:?}");
        }
    }

    #[test]
    fn prod_with_both_sinks_at_info() {
        check(
            PROD,
            &[
                (Kind::Line, Debug, NOTHING),
                (Kind::Line, Info, "stderr |        | breadcrumb"),
                (Kind::Line, Warning, "stderr |        | breadcrumb"),
                (Kind::Line, Error, "stderr |        | event"),
                (Kind::Line, Critical, "stderr |        | event"),
                (Kind::Response, Info, "stderr |        | breadcrumb"),
                (Kind::Response, Error, "stderr |        | breadcrumb"),
                (Kind::Breadcrumb, Info, "stderr |        | breadcrumb"),
                (Kind::Breadcrumb, Debug, "       |        | breadcrumb"),
                (Kind::Exception, Error, "stderr | stack? | event"),
                (Kind::Message, Info, "stderr |        | event"),
                (Kind::Message, Debug, "       |        | event"),
                (Kind::Uncaught, Error, "stderr | stack  | event"),
                (Kind::Service, Info, "stderr |        |"),
            ],
        );
    }

    #[test]
    fn prod_with_both_sinks_at_warning() {
        check(
            Policy { level: Warning, ..PROD },
            &[
                (Kind::Line, Info, NOTHING),
                (Kind::Line, Warning, "stderr |        | breadcrumb"),
                (Kind::Response, Info, NOTHING),
                (Kind::Response, Warning, "stderr |        | breadcrumb"),
                (Kind::Breadcrumb, Info, "       |        | breadcrumb"),
                (Kind::Exception, Error, "stderr | stack? | event"),
                (Kind::Message, Info, "       |        | event"),
                (Kind::Uncaught, Error, "stderr | stack  | event"),
            ],
        );
    }

    #[test]
    fn critical_in_prod_silences_stderr_but_not_sentry() {
        check(
            Policy { level: Critical, ..PROD },
            &[
                (Kind::Line, Error, NOTHING),
                (Kind::Line, Critical, "stderr |        | event"),
                (Kind::Response, Error, NOTHING),
                (Kind::Breadcrumb, Info, "       |        | breadcrumb"),
                (Kind::Exception, Error, "       |        | event"),
                (Kind::Message, Error, "       |        | event"),
                (Kind::Uncaught, Error, "       |        | event"),
            ],
        );
    }

    #[test]
    fn dev_writes_every_failure_with_its_stack() {
        for mode in [Mode::Stderr, Mode::Sentry, Mode::Both] {
            for level in Level::ALL {
                let policy = Policy { mode, level, ..DEV };
                for kind in [Kind::Exception, Kind::Uncaught] {
                    let destinations = policy.destinations(kind, Error);
                    assert!(destinations.stderr, "{kind:?} {policy:?}");
                    assert_eq!(destinations.stack, StackPlacement::WithLine, "{kind:?} {policy:?}");
                }
                let line = policy.destinations(Kind::Line, Error);
                assert_eq!(line.stderr, mode != Mode::Sentry && level <= Error);
            }
        }
    }

    #[test]
    fn dev_differs_from_prod_only_in_failures() {
        for mode in Mode::ALL {
            for threshold in Level::ALL {
                for (kind, level) in Kind::ALL.iter().flat_map(|k| Level::ALL.map(|l| (*k, l))) {
                    let prod = Policy { mode, level: threshold, ..PROD }.destinations(kind, level);
                    let dev = Policy { mode, level: threshold, ..DEV }.destinations(kind, level);
                    assert_eq!(dev.sentry, prod.sentry, "{kind:?}");
                    if !matches!(kind, Kind::Exception | Kind::Uncaught) {
                        assert_eq!(dev, prod, "{kind:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn prod_with_sentry_only_at_critical() {
        check(
            Policy { mode: Mode::Sentry, level: Critical, ..PROD },
            &[
                (Kind::Line, Error, NOTHING),
                (Kind::Line, Critical, "       |        | event"),
                (Kind::Response, Error, NOTHING),
                (Kind::Breadcrumb, Info, "       |        | breadcrumb"),
                (Kind::Exception, Error, "       |        | event"),
                (Kind::Message, Info, "       |        | event"),
                (Kind::Uncaught, Error, "       |        | event"),
                (Kind::Service, Critical, NOTHING),
            ],
        );
    }

    #[test]
    fn sentry_levels_apply_only_above_the_log_level() {
        let quiet = Policy { breadcrumb_level: Warning, event_level: Critical, ..PROD };
        check(
            quiet,
            &[
                (Kind::Line, Info, "stderr |        |"),
                (Kind::Line, Warning, "stderr |        | breadcrumb"),
                (Kind::Line, Error, "stderr |        | breadcrumb"),
                (Kind::Line, Critical, "stderr |        | event"),
                (Kind::Response, Info, "stderr |        |"),
                (Kind::Response, Warning, "stderr |        | breadcrumb"),
                (Kind::Breadcrumb, Info, "stderr |        | breadcrumb"),
            ],
        );
        let eager = Policy { breadcrumb_level: Debug, event_level: Info, level: Warning, ..PROD };
        check(eager, &[(Kind::Line, Info, NOTHING), (Kind::Line, Warning, "stderr |        | event")]);
    }

    #[test]
    fn only_log_lines_from_the_log_level_up_are_in_sentrys_logs() {
        let with_logs = Policy { logs: true, breadcrumb_level: Critical, event_level: Critical, ..PROD };
        for mode in Mode::ALL {
            for threshold in Level::ALL {
                for (kind, level) in Kind::ALL.iter().flat_map(|kind| Level::ALL.map(|level| (*kind, level))) {
                    let policy = Policy { mode, level: threshold, ..with_logs };
                    let logs = |policy: Policy| policy.destinations(kind, level).logs;
                    let has_sentry = matches!(mode, Mode::Sentry | Mode::Both);
                    assert_eq!(logs(policy), kind == Kind::Line && level >= threshold && has_sentry, "{policy:?}");
                    assert!(!logs(Policy { logs: false, ..policy }) && !logs(Policy { sentry: false, ..policy }));
                    let without = Policy { logs: false, ..policy }.destinations(kind, level);
                    assert_eq!(Destinations { logs: false, ..policy.destinations(kind, level) }, without);
                }
            }
        }
    }

    #[test]
    fn mode_off_disables_every_sink() {
        for env in [Env::Dev, Env::Prod] {
            for kind in Kind::ALL {
                for level in Level::ALL {
                    let policy = Policy { env, mode: Mode::Off, ..PROD };
                    assert_eq!(policy.destinations(kind, level), Destinations::NONE);
                }
            }
        }
    }

    #[test]
    fn notices_and_retroactive_lines_ignore_the_log_level() {
        let shown = |destinations: Destinations| {
            assert_eq!((destinations.stack, destinations.logs), (StackPlacement::Never, false));
            (destinations.stderr, destinations.sentry)
        };
        for level in Level::ALL {
            for (mode, notice, retroactive) in [
                (Mode::Off, (false, ToSentry::Nothing), (false, ToSentry::Nothing)),
                (Mode::Stderr, (true, ToSentry::Nothing), (true, ToSentry::Nothing)),
                (Mode::Sentry, (true, ToSentry::Breadcrumb), (false, ToSentry::Breadcrumb)),
                (Mode::Both, (true, ToSentry::Breadcrumb), (true, ToSentry::Breadcrumb)),
            ] {
                let policy = Policy { mode, level, ..PROD };
                assert_eq!(shown(policy.notice_destinations()), notice, "{policy:?}");
                assert_eq!(shown(policy.retroactive_destinations()), retroactive, "{policy:?}");
            }
        }
    }

    #[test]
    fn without_a_dsn_sentry_is_not_a_sink() {
        for kind in Kind::ALL {
            for level in Level::ALL {
                let none = Policy { sentry: false, ..PROD };
                let stderr = Policy { mode: Mode::Stderr, ..PROD };
                assert_eq!(none.destinations(kind, level), stderr.destinations(kind, level));
                let sentry = Policy { mode: Mode::Sentry, ..none };
                assert_eq!(sentry.destinations(kind, level), Destinations::NONE);
            }
        }
    }

    #[test]
    fn adding_sentry_does_not_change_stderr() {
        for env in [Env::Dev, Env::Prod] {
            for threshold in Level::ALL {
                for (kind, level) in Kind::ALL.iter().flat_map(|k| Level::ALL.map(|l| (*k, l))) {
                    let both = Policy { env, level: threshold, ..PROD };
                    let stderr = Policy { mode: Mode::Stderr, ..both };
                    assert_eq!(both.destinations(kind, level).stderr, stderr.destinations(kind, level).stderr);
                }
            }
        }
    }

    #[test]
    fn kind_names_match_their_serialization() {
        let names = Kind::ALL.map(Kind::as_str);
        assert_eq!(names, ["line", "response", "breadcrumb", "exception", "message", "uncaught", "service"]);
        for kind in Kind::ALL {
            assert_eq!(serde_json::json!(kind), kind.as_str());
        }
    }

    #[test]
    fn policy_is_built_from_settings() {
        let load = |flags: &[(&str, &str)], sentry| Policy::new(&crate::pipeline::fixture::settings(flags), sentry);
        let values = [
            ("env", "dev"),
            ("log.mode", "sentry"),
            ("log.level", "warning"),
            ("sentry.breadcrumb_level", "debug"),
            ("sentry.event_level", "critical"),
        ];
        let expected = Policy {
            env: Env::Dev,
            mode: Mode::Sentry,
            level: Warning,
            breadcrumb_level: Debug,
            event_level: Critical,
            sentry: false,
            logs: false,
        };
        assert_eq!(load(&values, false), expected);
        assert_eq!(load(&values, true), Policy { sentry: true, ..expected });
        let with_logs = values.into_iter().chain([("sentry.logs", "true")]).collect::<Vec<_>>();
        assert_eq!(load(&with_logs, true), Policy { sentry: true, logs: true, ..expected });
    }

    #[test]
    fn response_level_follows_status_and_outcome() {
        use Outcome::{Aborted, Complete};
        for (status, outcome, is_refused, level) in [
            (None, Aborted, false, Info),
            (Some(200), Complete, false, Info),
            (Some(399), Complete, false, Info),
            (Some(400), Complete, false, Warning),
            (Some(499), Aborted, false, Warning),
            (Some(500), Complete, false, Error),
            (Some(599), Complete, false, Error),
            (Some(600), Complete, false, Info),
            (Some(503), Complete, true, Warning),
            (Some(200), Outcome::Error, false, Error),
            (Some(503), Outcome::Error, true, Error),
            (None, Outcome::Error, false, Error),
        ] {
            let actual = Policy::response_level(status, outcome, is_refused);
            assert_eq!(actual, level, "{status:?} {outcome:?} {is_refused}");
        }
    }

    #[test]
    fn a_line_reports_its_error_from_warning_or_the_event_level() {
        let reports = |event_level, level| Policy { event_level, ..PROD }.line_reports_failure(level);
        assert_eq!([Info, Warning, Error].map(|level| reports(Error, level)), [false, true, true]);
        assert_eq!([Debug, Info, Warning].map(|level| reports(Info, level)), [false, true, true]);
    }
}
