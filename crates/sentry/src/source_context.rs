//! The source lines around each frame, in development, where the sources are.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use sentry::protocol::{Event, Frame};

/// The number of lines before and after the line of a frame.
const LINES: usize = 5;
/// Maximum length of a line in bytes.
const MAX_LINE_BYTES: usize = 256;
/// Maximum size of the part of a file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Adds source lines to the frames of the application.
pub(crate) fn add_to(event: &mut Event<'static>) {
    let stacks = event.exception.values.iter_mut().filter_map(|exception| exception.stacktrace.as_mut());
    stacks.flat_map(|stack| &mut stack.frames).filter(|frame| frame.in_app == Some(true)).for_each(add_to_frame);
}

fn add_to_frame(frame: &mut Frame) {
    let Some((path, line)) = frame.abs_path.as_deref().zip(frame.lineno).filter(|(_, line)| *line > 0) else { return };
    let Ok(file) = File::open(path) else { return };
    let at = line as usize - 1;
    let first = at.saturating_sub(LINES);
    let lines = BufReader::new(file.take(MAX_FILE_BYTES)).lines().map_while(Result::ok);
    let mut lines = lines.skip(first).take(at - first + 1 + LINES).map(|mut line| {
        line.truncate(line.floor_char_boundary(MAX_LINE_BYTES));
        line
    });
    let before: Vec<String> = lines.by_ref().take(at - first).collect();
    if let Some(line) = lines.next() {
        (frame.pre_context, frame.context_line, frame.post_context) = (before, Some(line), lines.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(path: &str, line: u64) -> Frame {
        let mut frame = Frame { abs_path: Some(path.into()), lineno: Some(line), ..Frame::default() };
        add_to_frame(&mut frame);
        frame
    }

    #[test]
    fn a_frame_has_the_lines_around_its_own() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/source_context.rs");
        let first = frame(path, 1);
        assert_eq!(
            first.context_line.as_deref(),
            Some("//! The source lines around each frame, in development, where the sources are.")
        );
        assert_eq!((first.pre_context.len(), first.post_context.len()), (0, LINES));
        let third = frame(path, 4);
        assert_eq!(third.context_line.as_deref(), Some("use std::io::{BufRead, BufReader, Read};"));
        assert_eq!(third.pre_context.last().map(String::as_str), Some("use std::fs::File;"));
    }

    #[test]
    fn a_missing_line_or_file_gives_no_lines() {
        for frame in [frame("/nonexistent.rs", 1), frame(file!(), 1_000_000), frame(file!(), 0)] {
            assert_eq!((frame.context_line, frame.pre_context.len()), (None, 0));
        }
    }
}
