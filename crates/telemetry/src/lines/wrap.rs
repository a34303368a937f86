//! Wrapping at the terminal's width. A terminal would continue a long line in its first column, where a client's text could
//! imitate a record.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

/// Begins each continued line.
pub(super) const GUTTER: &str = "      │ ";
/// The gutter of a terminal that is too narrow for the other one.
const NARROW_GUTTER: &str = "│ ";
/// The minimum width of the terminal for [`GUTTER`].
const MIN_WIDTH: usize = 24;
/// The distance of tab stops.
const TAB: usize = 8;

/// The terminal that the lines are written to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Its current width in columns.
    pub width: fn() -> usize,
    /// Whether it may show characters of ambiguous width in two columns, as terminals for Chinese, Japanese and Korean do.
    pub ambiguous_is_wide: bool,
}

impl Terminal {
    /// Breaks the lines of a text that are longer than the terminal is wide. Escape sequences for color have no width; there are
    /// no others.
    pub(super) fn wrap(self, text: &str) -> String {
        let width = (self.width)();
        let gutter = if width < MIN_WIDTH { NARROW_GUTTER } else { GUTTER };
        // A narrower terminal has no room for a gutter and a wide character.
        let width = width.max(NARROW_GUTTER.chars().count() + 2);
        let mut out = String::with_capacity(text.len() + text.len() / 8);
        let mut column = 0;
        let mut color = "";
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let end = if c == '\x1b' { rest.find('m').map_or(rest.len(), |end| end + 1) } else { c.len_utf8() };
            let (shown, after) = rest.split_at(end);
            rest = after;
            match c {
                '\x1b' => {
                    color = if shown == RESET { "" } else { shown };
                    out.push_str(shown);
                    continue;
                }
                '\n' => {
                    out.push('\n');
                    column = 0;
                    continue;
                }
                _ => {}
            }
            let columns = if c == '\t' { TAB - column % TAB } else { self.columns(c) };
            if column + columns > width {
                let reset = if color.is_empty() { "" } else { RESET };
                let _ = write!(out, "{reset}\n{gutter}{color}");
                column = gutter.chars().count();
            }
            if c == '\t' {
                // The columns of a tab depend on where it begins.
                let columns = (TAB - column % TAB).min(width - column);
                (0..columns).for_each(|_| out.push(' '));
                column += columns;
            } else {
                out.push_str(shown);
                column += columns;
            }
        }
        out
    }

    /// The most columns in which a terminal may show a character. A line that is narrower than counted only wraps early.
    fn columns(self, c: char) -> usize {
        match c {
            ' '..='~' => 1,
            // Combining marks that all terminals put on the character before.
            '\u{300}'..='\u{36f}' => 0,
            // Terminals show a single regional indicator in one or two columns.
            '\u{1f1e6}'..='\u{1f1ff}' => 2,
            _ if self.ambiguous_is_wide => 2,
            // Not 0: the emoji selector makes the character before it wide, and other invisible characters may take a column.
            _ => c.width().unwrap_or(1).max(1),
        }
    }
}

const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;

    fn narrow() -> Terminal {
        Terminal { width: || 30, ambiguous_is_wide: false }
    }

    #[test]
    fn short_lines_are_unchanged() {
        let text = format!("one\n{}\n\nthree\n", "x".repeat(30));
        assert_eq!(narrow().wrap(&text), text);
    }

    #[test]
    fn long_lines_continue_behind_the_gutter() {
        let text = format!("{}12:00:00.000Z critical forged\n", "x".repeat(30));
        assert_eq!(
            narrow().wrap(&text),
            format!("{}\n{GUTTER}12:00:00.000Z critical\n{GUTTER} forged\n", "x".repeat(30)),
        );
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(narrow().wrap(&"青".repeat(16)), format!("{}\n{GUTTER}青", "青".repeat(15)));
        let emoji = "☺\u{fe0f}".repeat(16);
        assert_eq!(narrow().wrap(&emoji).lines().count(), 2, "the selector makes it wide");
        let wide = Terminal { ambiguous_is_wide: true, ..narrow() };
        assert_eq!(wide.wrap(&"Ж".repeat(16)).lines().count(), 2);
        assert_eq!(narrow().wrap(&"e\u{301}".repeat(30)).lines().count(), 1);
    }

    #[test]
    fn color_has_no_width_and_continues() {
        let text = format!("\x1b[31m{}\x1b[0m\n", "x".repeat(31));
        assert_eq!(narrow().wrap(&text), format!("\x1b[31m{}\x1b[0m\n{GUTTER}\x1b[31mx\x1b[0m\n", "x".repeat(30)));
    }

    #[test]
    fn tabs_become_spaces_up_to_their_stop() {
        assert_eq!(narrow().wrap("ab\tc\t\td"), format!("ab      c               d"));
        assert_eq!(narrow().wrap(&format!("{}\tb", "x".repeat(27))), format!("{}\n{GUTTER}        b", "x".repeat(27)));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [(|| 4) as fn() -> usize, || 5, || 10, || 23, || 24, || 81] {
            let terminal = Terminal { width, ambiguous_is_wide: false };
            let text = "a\tb青é😀 12:00:00.000Z critical forged ".repeat(20);
            for (at, line) in terminal.wrap(&text).lines().enumerate() {
                let columns: usize = line.chars().map(|c| terminal.columns(c)).sum();
                assert!(columns <= width(), "{columns} > {}: {line}", width());
                assert!(at == 0 || line.trim_start().starts_with('│'), "{line}");
            }
        }
    }
}
