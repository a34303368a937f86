//! What stderr is able to show: its colors and its width.

use std::ffi::OsString;
use std::io::{IsTerminal, stderr};

use rustix::termios::tcgetwinsize;

use super::wrap::Terminal;
use crate::settings::Color;

/// The width of a terminal that does not know its own.
const DEFAULT_WIDTH: usize = 80;

impl Terminal {
    /// stderr, if it is a terminal.
    pub(super) fn of_stderr() -> Option<Self> {
        stderr().is_terminal().then(|| Self { width, ambiguous_is_wide: is_east_asian(|name| std::env::var_os(name)) })
    }
}

/// The current width of the terminal on stderr, in columns: it changes when a window is resized.
fn width() -> usize {
    let size = tcgetwinsize(stderr()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(DEFAULT_WIDTH)
}

/// Whether the locale is one whose terminals may show characters of ambiguous width in two columns.
fn is_east_asian(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default();
    ["zh", "ja", "ko"].iter().any(|language| locale.to_string_lossy().starts_with(language))
}

impl Color {
    /// Whether to use colors. `is_terminal` says whether the output is a terminal; `NO_COLOR`, `FORCE_COLOR` and `TERM` are read from
    /// the environment.
    #[must_use]
    pub fn is_on(self, is_terminal: bool) -> bool {
        decide_color(self, is_terminal, |name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }
}

/// Whether lines are colored on stderr.
pub(super) fn has_color(setting: Color) -> bool {
    setting.is_on(stderr().is_terminal())
}

/// The setting, else <https://no-color.org>, else <https://force-color.org>, else whether it is a terminal with colors.
fn decide_color(setting: Color, is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    match setting {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if variable("NO_COLOR").is_some() => false,
        Color::Auto => match variable("FORCE_COLOR") {
            Some(value) => value != "0" && value != "false",
            None => is_terminal && variable("TERM").is_none_or(|term| term != "dumb"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
    }

    #[test]
    fn the_setting_beats_the_variables() {
        assert!(decide_color(Color::Always, false, variables(&[("NO_COLOR", "1"), ("TERM", "dumb")])));
        assert!(!decide_color(Color::Never, true, variables(&[("FORCE_COLOR", "1")])));
    }

    #[test]
    fn auto_colors_terminals_unless_a_variable_differs() {
        for (set, is_terminal, expected) in [
            (&[][..], true, true),
            (&[], false, false),
            (&[("TERM", "xterm-256color")], true, true),
            (&[("TERM", "dumb")], true, false),
            (&[("NO_COLOR", "1")], true, false),
            (&[("FORCE_COLOR", "1")], false, true),
            (&[("FORCE_COLOR", "1"), ("TERM", "dumb")], false, true),
            (&[("FORCE_COLOR", "0")], true, false),
            (&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], true, false),
        ] {
            assert_eq!(decide_color(Color::Auto, is_terminal, variables(set)), expected, "{set:?} {is_terminal}");
        }
    }

    #[test]
    fn the_first_locale_variable_decides() {
        assert!(is_east_asian(variables(&[("LANG", "ja_JP.UTF-8")])));
        assert!(!is_east_asian(variables(&[("LC_ALL", "C.UTF-8"), ("LANG", "ja_JP.UTF-8")])));
        assert!(!is_east_asian(variables(&[])));
    }
}
