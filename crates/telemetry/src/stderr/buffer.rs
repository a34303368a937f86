//! The memory that a thread writes its lines into, one after the other.

use std::cell::Cell;

/// A line that is longer leaves its memory behind; that is freed with the next one.
const MAX_RETAINED_BYTES: usize = 1 << 17;

thread_local! {
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls a function with this thread's line, empty. Inside of another call, and while the thread ends, it is a new one.
pub(super) fn with_line(f: impl FnOnce(&mut Vec<u8>)) {
    // Taken out meanwhile: a panic in here is a line too.
    let mut line = LINE.try_with(Cell::take).unwrap_or_default();
    line.clear();
    line.shrink_to(MAX_RETAINED_BYTES);
    f(&mut line);
    let _ = LINE.try_with(|own| own.set(line));
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
