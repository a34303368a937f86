//! Writes each line of a text with the priority prefix, cut to the maximum length.

/// Marks the end of a line that was cut.
const CUT: &str = "…";
/// Ends a color that the cut line may have begun.
const RESET: &str = "\x1b[0m";

/// Appends the lines of a text, each with the prefix, and cut to at most `max` bytes including the line feed.
pub(crate) fn write_lines(text: &str, prefix: &str, max: usize, out: &mut String) {
    for line in text.lines() {
        out.push_str(prefix);
        let available = max.saturating_sub(prefix.len() + 1);
        if line.len() <= available {
            out.push_str(line);
        } else {
            let is_colored = line.contains('\x1b');
            let end = if is_colored { CUT.len() + RESET.len() } else { CUT.len() };
            out.push_str(cut(line, available.saturating_sub(end)));
            out.push_str(CUT);
            out.push_str(if is_colored { RESET } else { "" });
        }
        out.push('\n');
    }
}

/// The beginning of a line, without a part of an escape sequence.
fn cut(line: &str, max: usize) -> &str {
    let cut = &line[..line.floor_char_boundary(max)];
    match cut.rfind('\x1b') {
        Some(begin) if !cut[begin..].contains('m') => &cut[..begin],
        _ => cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, prefix: &str, max: usize) -> String {
        let mut out = String::new();
        write_lines(text, prefix, max, &mut out);
        out
    }

    #[test]
    fn each_line_has_the_prefix_and_the_limit() {
        assert_eq!(lines("one\ntwo\n", "<3>", 20), "<3>one\n<3>two\n");
        assert_eq!(lines("0123456789\n", "", 11), "0123456789\n");
        assert_eq!(lines("01234567890\n", "", 11), "0123456…\n");
        assert_eq!(lines("012345é\n", "<3>", 11), "<3>0123…\n");
    }

    #[test]
    fn a_cut_ends_colors_and_splits_no_escape_sequence() {
        let line = "\x1b[31m0123456789\x1b[0m\n";
        for max in 12..line.len() {
            let shown = lines(line, "", max);
            assert!(shown.len() <= max && shown.ends_with("…\x1b[0m\n"), "{shown:?}");
            let rest = shown.replace("\x1b[31m", "").replace("\x1b[0m", "");
            assert!(!rest.contains('\x1b'), "{shown:?}");
        }
    }
}
