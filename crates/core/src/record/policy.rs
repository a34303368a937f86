//! The table: what goes where.
//!
//! [`Policy::route`] is the one place that knows. The running service asks it for every record, `app log explain`
//! prints it, and the tests compare what supervisord and Sentry received with it.

use serde::Serialize;

use super::Level;
use crate::settings::{Env, Mode, Settings};

/// What a record is about; the rows of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A logger line: `tracing::info!` and its like.
    Line,
    /// The answer that a blueprint returned.
    Response,
    /// Something said with [`add_breadcrumb`](crate::add_breadcrumb).
    Breadcrumb,
    /// A caught error, said with [`capture_exception`](crate::capture_exception).
    Exception,
    /// Something said with [`capture_event`](crate::capture_event).
    Message,
    /// An error that nobody caught, a panic, or a plain 5xx answer.
    Uncaught,
    /// What the service says of itself.
    Service,
}

impl Kind {
    /// Every kind, in the order of the table.
    pub const ALL: [Kind; 7] =
        [Kind::Line, Kind::Response, Kind::Breadcrumb, Kind::Exception, Kind::Message, Kind::Uncaught, Kind::Service];

    /// The name as it stands in a record's `kind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        ["line", "response", "breadcrumb", "exception", "message", "uncaught", "service"][self as usize]
    }
}

/// Whether a record's stack trace goes to stderr with its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stack {
    Never,
    WithLine,
    /// With the line, but only when no Sentry sink took the event: Sentry shows it better.
    UnlessSentryTakesIt,
}

/// What Sentry gets of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ToSentry {
    Nothing,
    /// Kept, and sent with the next event of the same request.
    Breadcrumb,
    Event,
}

/// Where one record goes; a row of the table, answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Whether it is a line on stderr.
    pub stderr: bool,
    pub stack: Stack,
    pub sentry: ToSentry,
}

impl Route {
    const NOWHERE: Route = Route { stderr: false, stack: Stack::Never, sentry: ToSentry::Nothing };
}

/// The settings that the table depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Policy {
    pub env: Env,
    pub mode: Mode,
    /// `log.level`; for a logger line from a module of its own in `log.levels`, that one.
    pub level: Level,
    pub breadcrumb_level: Level,
    pub event_level: Level,
    /// Whether there is a Sentry to send to: a DSN is set and the feature `sentry` is compiled in.
    pub sentry: bool,
}

impl Policy {
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            env: settings.env,
            mode: settings.log.mode,
            level: settings.log.level,
            breadcrumb_level: settings.sentry.breadcrumb_level,
            event_level: settings.sentry.event_level,
            sentry: cfg!(feature = "sentry") && settings.sentry.dsn.is_some(),
        }
    }

    /// Whether stderr is a sink for records that follow the level.
    #[must_use]
    pub fn has_stderr(&self) -> bool {
        matches!(self.mode, Mode::Stderr | Mode::Both)
    }

    /// Whether Sentry is a sink.
    #[must_use]
    pub fn has_sentry(&self) -> bool {
        self.sentry && matches!(self.mode, Mode::Sentry | Mode::Both)
    }

    /// Whether nothing is recorded, whatever it is.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.mode == Mode::Off
    }

    /// The table: which sinks get a record of this kind and level.
    #[must_use]
    pub fn route(&self, kind: Kind, level: Level) -> Route {
        if self.is_silent() {
            return Route::NOWHERE;
        }
        let heard = self.has_stderr() && level >= self.level;
        // N7: in dev a failure is always written with its stack.
        let failure = heard || self.env == Env::Dev;
        let event = if self.has_sentry() { ToSentry::Event } else { ToSentry::Nothing };
        let breadcrumb = if self.has_sentry() { ToSentry::Breadcrumb } else { ToSentry::Nothing };
        let breadcrumb_by_level =
            if level >= self.level.max(self.breadcrumb_level) { breadcrumb } else { ToSentry::Nothing };

        match kind {
            Kind::Line => Route {
                stderr: heard,
                stack: Stack::Never,
                sentry: if level >= self.level.max(self.event_level) { event } else { breadcrumb_by_level },
            },
            Kind::Response => Route { stderr: heard, stack: Stack::Never, sentry: breadcrumb_by_level },
            Kind::Breadcrumb => Route { stderr: heard, stack: Stack::Never, sentry: breadcrumb },
            Kind::Exception => Route {
                stderr: failure,
                stack: match (failure, self.env) {
                    (false, _) => Stack::Never,
                    (true, Env::Dev) => Stack::WithLine,
                    (true, Env::Prod) => Stack::UnlessSentryTakesIt,
                },
                sentry: event,
            },
            Kind::Message => Route { stderr: heard, stack: Stack::Never, sentry: event },
            Kind::Uncaught => {
                Route { stderr: failure, stack: if failure { Stack::WithLine } else { Stack::Never }, sentry: event }
            }
            Kind::Service => Route { stderr: heard, stack: Stack::Never, sentry: ToSentry::Nothing },
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
    };
    const DEV: Policy = Policy { env: Env::Dev, ..PROD };

    const NOTHING: &str = "          |       | ";

    /// A route as the table's cells: `line | stack | sentry`.
    fn cells(policy: Policy, kind: Kind, level: Level) -> String {
        let route = policy.route(kind, level);
        format!(
            "{:<9} | {:<5} | {}",
            if route.stderr { "stderr" } else { "" },
            match route.stack {
                Stack::Never => "",
                Stack::WithLine => "stack",
                Stack::UnlessSentryTakesIt => "stack?",
            },
            match route.sentry {
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
    fn both_at_info_in_prod_is_plan_2() {
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
    fn both_at_warning_keeps_only_what_is_grave_n21() {
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
    fn critical_in_prod_closes_stderr_and_leaves_events_n22() {
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
    fn dev_writes_every_failure_with_its_stack_n7() {
        for mode in [Mode::Stderr, Mode::Sentry, Mode::Both] {
            for level in Level::ALL {
                let policy = Policy { mode, level, ..DEV };
                for kind in [Kind::Exception, Kind::Uncaught] {
                    let route = policy.route(kind, Error);
                    assert!(route.stderr, "{kind:?} {policy:?}");
                    assert_eq!(route.stack, Stack::WithLine, "{kind:?} {policy:?}");
                }
                let line = policy.route(Kind::Line, Error);
                assert_eq!(line.stderr, mode != Mode::Sentry && level <= Error);
            }
        }
    }

    #[test]
    fn dev_changes_nothing_but_failures() {
        for mode in Mode::ALL {
            for threshold in Level::ALL {
                for (kind, level) in Kind::ALL.iter().flat_map(|k| Level::ALL.map(|l| (*k, l))) {
                    let prod = Policy { mode, level: threshold, ..PROD }.route(kind, level);
                    let dev = Policy { mode, level: threshold, ..DEV }.route(kind, level);
                    assert_eq!(dev.sentry, prod.sentry, "{kind:?}");
                    if !matches!(kind, Kind::Exception | Kind::Uncaught) {
                        assert_eq!(dev, prod, "{kind:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn sentry_alone_is_plan_1() {
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
    fn the_two_sentry_levels_follow_the_higher_of_theirs_and_log_level_n14() {
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
    fn off_writes_nothing_even_in_dev() {
        for env in [Env::Dev, Env::Prod] {
            for kind in Kind::ALL {
                for level in Level::ALL {
                    let policy = Policy { env, mode: Mode::Off, ..PROD };
                    assert_eq!(policy.route(kind, level), Route::NOWHERE);
                }
            }
        }
    }

    #[test]
    fn without_a_dsn_both_is_stderr_and_sentry_is_nothing() {
        for kind in Kind::ALL {
            for level in Level::ALL {
                let none = Policy { sentry: false, ..PROD };
                let stderr = Policy { mode: Mode::Stderr, ..PROD };
                assert_eq!(none.route(kind, level), stderr.route(kind, level));
                let sentry = Policy { mode: Mode::Sentry, ..none };
                assert_eq!(sentry.route(kind, level), Route::NOWHERE);
            }
        }
    }

    #[test]
    fn adding_sentry_changes_no_line_on_stderr_n10() {
        for env in [Env::Dev, Env::Prod] {
            for threshold in Level::ALL {
                for (kind, level) in Kind::ALL.iter().flat_map(|k| Level::ALL.map(|l| (*k, l))) {
                    let both = Policy { env, level: threshold, ..PROD };
                    let stderr = Policy { mode: Mode::Stderr, ..both };
                    assert_eq!(both.route(kind, level).stderr, stderr.route(kind, level).stderr);
                }
            }
        }
    }

    #[test]
    fn kinds_have_the_names_that_records_show() {
        let names = Kind::ALL.map(Kind::as_str);
        assert_eq!(names, ["line", "response", "breadcrumb", "exception", "message", "uncaught", "service"]);
        for kind in Kind::ALL {
            assert_eq!(serde_json::json!(kind), kind.as_str());
        }
    }

    #[test]
    fn the_settings_are_where_the_policy_comes_from() {
        let load = |flags: &[(&str, &str)]| {
            let loader = crate::settings::Loader::new("/no/config/here");
            let loader = flags.iter().fold(loader, |loader, (key, value)| loader.flag(key, value, "the test"));
            Policy::of(&loader.load().expect("valid settings"))
        };
        let own = [
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
        };
        assert_eq!(load(&own), expected);
        let with_dsn = load(&[&own[..], &[("sentry.dsn", "http://key@sentry.invalid/1")]].concat());
        assert_eq!(with_dsn, Policy { sentry: cfg!(feature = "sentry"), ..expected });
    }
}
