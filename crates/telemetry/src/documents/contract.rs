//! The destination table of `docs/CONTRACT.md`: stated as conditions, and compared with [`Policy::destinations`] for every input.

use test_harness::scratch;

use super::PACKAGE;
use crate::effective::LIVE_KEYS;
use crate::level::Level;
use crate::policy::{Destinations, Kind, Policy, StackPlacement, ToSentry};
use crate::settings::{Env, MIN_DEBUG_KEY_BYTES, Mode};

const DOCUMENT: &str = "docs/CONTRACT.md";

/// When a record is a line on stderr.
#[derive(Clone, Copy)]
enum Line {
    ByLevel,
    AlwaysInDev,
}

/// When its stack is on the line.
#[derive(Clone, Copy)]
enum StackOnLine {
    Never,
    WithLine,
    InProdUnlessSent,
}

/// What an event sink gets.
#[derive(Clone, Copy)]
enum Sent {
    Nothing,
    BreadcrumbByLevel,
    Breadcrumb,
    EventOrBreadcrumbByLevel,
    Event,
}

/// When it is a line of Sentry's Logs, with `sentry.logs`.
#[derive(Clone, Copy)]
enum Logged {
    Never,
    ByLevel,
}

const TABLE: [(Kind, Line, StackOnLine, Sent, Logged); 7] = [
    (Kind::Line, Line::ByLevel, StackOnLine::Never, Sent::EventOrBreadcrumbByLevel, Logged::ByLevel),
    (Kind::Response, Line::ByLevel, StackOnLine::Never, Sent::BreadcrumbByLevel, Logged::Never),
    (Kind::Breadcrumb, Line::ByLevel, StackOnLine::Never, Sent::Breadcrumb, Logged::Never),
    (Kind::Exception, Line::AlwaysInDev, StackOnLine::InProdUnlessSent, Sent::Event, Logged::Never),
    (Kind::Message, Line::ByLevel, StackOnLine::Never, Sent::Event, Logged::Never),
    (Kind::Uncaught, Line::AlwaysInDev, StackOnLine::WithLine, Sent::Event, Logged::Never),
    (Kind::Service, Line::ByLevel, StackOnLine::Never, Sent::Nothing, Logged::Never),
];

impl Line {
    const fn text(self) -> &'static str {
        match self {
            Self::ByLevel => "m has stderr, and level ≥ L",
            Self::AlwaysInDev => "dev: always; prod: m has stderr, and level ≥ L",
        }
    }

    fn holds(self, policy: &Policy, level: Level) -> bool {
        let by_level = matches!(policy.mode, Mode::Stderr | Mode::Both) && level >= policy.level;
        by_level || matches!(self, Self::AlwaysInDev) && policy.env == Env::Dev
    }
}

impl StackOnLine {
    const fn text(self) -> &'static str {
        match self {
            Self::Never => "–",
            Self::WithLine => "with the line",
            Self::InProdUnlessSent => {
                "dev: with the line; prod: with the line, unless an event sink accepted the event"
            }
        }
    }

    const fn placement(self, env: Env, is_line: bool) -> StackPlacement {
        match (self, env) {
            (Self::Never, _) => StackPlacement::Never,
            _ if !is_line => StackPlacement::Never,
            (Self::InProdUnlessSent, Env::Prod) => StackPlacement::UnlessSentToSentry,
            (Self::WithLine | Self::InProdUnlessSent, _) => StackPlacement::WithLine,
        }
    }
}

impl Sent {
    const fn text(self) -> &'static str {
        match self {
            Self::Nothing => "–",
            Self::BreadcrumbByLevel => "a breadcrumb from max(L, B) up; never an event",
            Self::Breadcrumb => "a breadcrumb, always, if `before_breadcrumb` returns it",
            Self::EventOrBreadcrumbByLevel => {
                "an event from max(L, E) up, and then no breadcrumb; else a breadcrumb from max(L, B) up"
            }
            Self::Event => "an event, always",
        }
    }

    fn destination(self, policy: &Policy, level: Level) -> ToSentry {
        let has_sentry = policy.sentry && matches!(policy.mode, Mode::Sentry | Mode::Both);
        let is_breadcrumb = level >= policy.level.max(policy.breadcrumb_level);
        match self {
            _ if !has_sentry => ToSentry::Nothing,
            Self::Event => ToSentry::Event,
            Self::EventOrBreadcrumbByLevel if level >= policy.level.max(policy.event_level) => ToSentry::Event,
            Self::EventOrBreadcrumbByLevel | Self::BreadcrumbByLevel if is_breadcrumb => ToSentry::Breadcrumb,
            Self::Breadcrumb => ToSentry::Breadcrumb,
            Self::Nothing | Self::EventOrBreadcrumbByLevel | Self::BreadcrumbByLevel => ToSentry::Nothing,
        }
    }
}

impl Logged {
    const fn text(self) -> &'static str {
        match self {
            Self::Never => "–",
            Self::ByLevel => "m has Sentry, and level ≥ L",
        }
    }

    fn holds(self, policy: &Policy, level: Level) -> bool {
        let has_sentry = policy.sentry && matches!(policy.mode, Mode::Sentry | Mode::Both);
        matches!(self, Self::ByLevel) && policy.logs && has_sentry && level >= policy.level
    }
}

/// Every policy whose mode is not `off`.
fn policies() -> impl Iterator<Item = Policy> {
    let levels = || Level::ALL.into_iter();
    let inputs = [Env::Dev, Env::Prod].into_iter().flat_map(|env| [true, false].map(|sentry| (env, sentry)));
    let inputs =
        inputs.flat_map(|(env, sentry)| [Mode::Stderr, Mode::Sentry, Mode::Both].map(|mode| (env, sentry, mode)));
    inputs.flat_map(move |(env, sentry, mode)| {
        levels().flat_map(move |level| {
            levels().flat_map(move |breadcrumb_level| {
                levels().flat_map(move |event_level| {
                    let policy = Policy { env, mode, level, breadcrumb_level, event_level, sentry, logs: false };
                    [policy, Policy { logs: true, ..policy }]
                })
            })
        })
    })
}

#[test]
fn the_destination_table_is_that_of_the_policy() {
    for policy in policies() {
        for (kind, line, stack, sent, logged) in TABLE {
            for level in Level::ALL {
                let decided = policy.destinations(kind, level);
                let is_line = line.holds(&policy, level);
                let stated = Destinations {
                    stderr: is_line,
                    stack: stack.placement(policy.env, is_line),
                    sentry: sent.destination(&policy, level),
                    logs: logged.holds(&policy, level),
                };
                assert_eq!(decided, stated, "{kind:?} at {level} under {policy:?}");
            }
        }
    }
}

#[test]
fn the_contract_has_the_destination_table() {
    let mut text = String::from(
        "| kind | a line on stderr | its stack on that line | Sentry | Sentry's Logs, with `sentry.logs` |\n| --- | --- | --- | --- | --- |\n",
    );
    for (kind, line, stack, sent, logged) in TABLE {
        let cells = [line.text(), stack.text(), sent.text(), logged.text()].join(" | ");
        text.push_str(&format!("| `{}` | {cells} |\n", kind.as_str()));
    }
    test_harness::documents::check(DOCUMENT, "destinations", &text, PACKAGE);
}

#[test]
fn the_contract_names_live_settings_and_the_minimum_length_of_a_key() {
    let text = scratch::read(&scratch::workspace().join(DOCUMENT));
    let names = LIVE_KEYS.into_iter().map(|name| format!("`{name}`"));
    for stated in names.chain([format!("`log.debug_key` {MIN_DEBUG_KEY_BYTES} bytes")]) {
        assert!(text.contains(&stated), "{DOCUMENT} lacks {stated}");
    }
}
