//! A buffer per thread, reused for each line that the thread formats.

use std::cell::Cell;

/// The maximum capacity that is retained; a larger buffer is shrunk before the next line is formatted.
const MAX_RETAINED_BYTES: usize = 1 << 17;

thread_local! {
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls a function with the thread's empty buffer; with a new one in a nested call, and while the thread exits.
pub(super) fn with_line(f: impl FnOnce(&mut Vec<u8>)) {
    // The buffer is taken out for the call, because the panic hook formats a line on this thread, too.
    let mut line = LINE.try_with(Cell::take).unwrap_or_default();
    line.clear();
    line.shrink_to(MAX_RETAINED_BYTES);
    f(&mut line);
    let _ = LINE.try_with(|buffer| buffer.set(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_lines_use_separate_buffers() {
        with_line(|outer| {
            outer.extend_from_slice(b"outer");
            with_line(|inner| {
                assert!(inner.is_empty());
                inner.extend_from_slice(b"inner");
            });
            assert_eq!(outer, b"outer");
        });
        with_line(|next| assert!(next.is_empty() && next.capacity() > 0));
    }

    #[test]
    fn the_buffer_of_a_long_line_is_freed() {
        with_line(|line| line.resize(4 * MAX_RETAINED_BYTES, 0));
        with_line(|line| assert!(line.capacity() < 2 * MAX_RETAINED_BYTES, "{}", line.capacity()));
    }
}
