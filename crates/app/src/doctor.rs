//! `app doctor`: examines the running service, or a start here.

use std::io::{IsTerminal, stdout};

use cyanotype::Service;
use cyanotype::checks::{CHECKS, CheckResult, Examination, Progress, Status};
use cyanotype::settings::{Color, Settings};
use rustix::termios::tcgetwinsize;

use crate::error::CommandError;
use crate::print::{print, print_progress, to_json};

/// The minimum width of the text beside the names, in columns.
const MIN_TEXT: usize = 30;

/// Examines the service. Invalid settings are a result, too.
pub(crate) fn run(
    settings: Result<Settings, CommandError>,
    service: impl FnOnce(Settings) -> Service,
    json: bool,
) -> Result<(), CommandError> {
    let color = settings.as_ref().map_or(Color::Auto, |settings| settings.log.color);
    let layout = Layout::of_stdout(color);
    let mut printed = Ok(());
    let mut show = |progress: Progress<'_>| match progress {
        Progress::Slow(check) => print_progress(&format!("still checking: {check}")),
        Progress::Found(_) if json => {}
        Progress::Found(result) => {
            let line = print(&layout.show(result));
            if printed.is_ok() {
                printed = line;
            }
        }
    };
    let examination = match settings {
        Ok(settings) => service(settings).examine(&mut show),
        Err(CommandError::BadConfiguration(reason)) => {
            let examination = Examination::of_invalid_settings(&reason);
            examination.checks.iter().for_each(|result| show(Progress::Found(result)));
            examination
        }
        Err(other) => return Err(other),
    };
    printed?;
    if json {
        print(&to_json(&examination)?)?;
    }
    if examination.status == Status::Fail { Err(CommandError::Negative) } else { Ok(()) }
}

/// How results are shown.
struct Layout {
    has_color: bool,
    /// Columns of the terminal; `None` elsewhere, where lines are not wrapped.
    width: Option<usize>,
}

impl Layout {
    fn of_stdout(color: Color) -> Self {
        let is_terminal = stdout().is_terminal();
        let size = is_terminal.then(|| tcgetwinsize(stdout()).ok()).flatten();
        let width = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        Self { has_color: color.is_on(is_terminal), width }
    }

    /// Status and name, then what was found, then what to do.
    fn show(&self, result: &CheckResult) -> String {
        let names = CHECKS.iter().map(|check| check.name.len()).max().unwrap_or_default();
        let indent = 4 + 2 + names + 2;
        let width = self.width.map(|width| width.saturating_sub(indent).max(MIN_TEXT));
        let mut lines: Vec<String> = result.found.lines().flat_map(|line| wrap(line, width)).collect();
        lines.extend(result.remedy.iter().flat_map(|remedy| wrap(&format!("→ {remedy}"), width)));
        let status = format!("{:<4}", result.status);
        let status = match result.status {
            _ if !self.has_color => status,
            Status::Ok => format!("\x1b[32m{status}\x1b[0m"),
            Status::Warn => format!("\x1b[33m{status}\x1b[0m"),
            Status::Fail => format!("\x1b[1;31m{status}\x1b[0m"),
        };
        let separator = format!("\n{}", " ".repeat(indent));
        format!("{status}  {:<names$}  {}", result.check, lines.join(&separator))
    }
}

/// Breaks a text between words.
fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![text.to_owned()] };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> CheckResult {
        let (found, remedy) = ("less than it needs\nand no more".to_owned(), Some("free some of the space".to_owned()));
        CheckResult { check: "disk", status: Status::Warn, found, remedy }
    }

    #[test]
    fn elsewhere_than_on_a_terminal_lines_are_not_wrapped() {
        let shown = Layout { has_color: false, width: None }.show(&result());
        let indent = " ".repeat(25);
        assert_eq!(
            shown,
            format!(
                "WARN  disk               less than it needs\n{indent}and no more\n{indent}→ free some of the space"
            )
        );
    }

    #[test]
    fn a_terminal_wraps_between_words_and_has_colors() {
        let text = "one two three four five six seven eight nine ten";
        assert_eq!(wrap(text, Some(20)), ["one two three four", "five six seven eight", "nine ten"]);
        let shown = Layout { has_color: true, width: Some(40) }.show(&result());
        assert!(shown.starts_with("\x1b[33mWARN\x1b[0m  disk"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 64), "{shown}");
    }
}
