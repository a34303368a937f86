//! The reading connections of a SQLite database; at most one per thread that has read concurrently.

use std::ops::Deref;

use parking_lot::Mutex;
use rusqlite::Connection;

#[derive(Default)]
pub(super) struct Readers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Number of connections in use.
    used: usize,
    is_closed: bool,
}

/// Exclusive use of a reading connection.
pub(super) struct Reader<'a> {
    readers: &'a Readers,
    /// `None` only while it is returned.
    connection: Option<Connection>,
}

impl Readers {
    /// Returns an idle connection, or opens one; `None` after [`close`](Self::close).
    pub(super) fn acquire(
        &self,
        open: impl FnOnce() -> rusqlite::Result<Connection>,
    ) -> rusqlite::Result<Option<Reader<'_>>> {
        let idle = {
            let mut state = self.state.lock();
            if state.is_closed {
                return Ok(None);
            }
            state.used += 1;
            state.idle.pop()
        };
        // From here on, dropping the reader counts it as returned.
        let mut reader = Reader { readers: self, connection: idle };
        if reader.connection.is_none() {
            reader.connection = Some(open()?);
        }
        Ok(Some(reader))
    }

    /// Closes the idle connections, then the writing one; those in use are closed when they are returned. Two connections never
    /// close at once: each would take the other for one that remains, and the last one has to write the log back to the file.
    pub(super) fn close(&self, writer: Option<Connection>) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.idle.clear();
        drop(writer);
    }

    /// Number of idle connections, and of those in use.
    pub(super) fn count(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.idle.len(), state.used)
    }
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("only Drop takes it")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state.lock();
        state.used -= 1;
        let returned = self.connection.take();
        if !state.is_closed {
            state.idle.extend(returned);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_reader_is_returned_in_every_case_and_closed_after_the_end() {
        let readers = Readers::default();
        assert!(readers.acquire(|| Err(rusqlite::Error::InvalidQuery)).is_err());
        assert_eq!(readers.count(), (0, 0), "none was opened");
        let acquire = || readers.acquire(Connection::open_in_memory).expect("it opens");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _reader = acquire();
            panic!("while a row is converted");
        }));
        assert!(panicked.is_err());
        assert_eq!(readers.count(), (1, 0));

        let in_use = acquire();
        assert_eq!(readers.count(), (0, 1));
        readers.close(None);
        drop(in_use);
        assert_eq!(readers.count(), (0, 0));
        assert!(acquire().is_none());
    }
}
