//! Stack traces: taken cheaply where a failure happens, resolved to names on a thread that may take its time.

use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use backtrace::Backtrace;

/// Frames beyond these are of no help and make a record long.
const MOST_FRAMES: usize = 100;

/// A stack trace; resolving it is put off until [`Stack::frames`], which no request's thread calls.
pub(crate) struct Stack {
    addresses: Backtrace,
    frames: OnceLock<Vec<Frame>>,
}

/// One call, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub function: String,
    pub file: Option<String>,
    pub line: Option<u32>,
    /// Whether it is the service's own code, not a library's.
    pub own: bool,
}

impl Stack {
    /// Takes the stack of the caller, whatever `RUST_BACKTRACE` says.
    pub fn capture() -> Self {
        Self { addresses: Backtrace::new_unresolved(), frames: OnceLock::new() }
    }

    /// The frames by name. The first call in a process may take most of a second in a debug build.
    pub fn frames(&self) -> &[Frame] {
        self.frames.get_or_init(|| {
            let mut resolved = self.addresses.clone();
            resolved.resolve();
            let symbols = resolved.frames().iter().flat_map(|frame| frame.symbols());
            let frames = symbols.map(|symbol| {
                let function = symbol.name().map_or_else(|| "<unknown>".into(), |name| format!("{name:#}"));
                let file = symbol.filename().map(|file| file.to_string_lossy().into_owned());
                Frame { own: is_own(&function, file.as_deref()), function, file, line: symbol.lineno() }
            });
            let all: Vec<Frame> = frames.collect();
            // The machinery that took the stack is no part of the story.
            let first = all.iter().rposition(|frame| is_machinery(&frame.function)).map_or(0, |at| at + 1);
            all.into_iter().skip(first).take(MOST_FRAMES).collect()
        })
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stack({} addresses)", self.addresses.frames().len())
    }
}

fn is_machinery(function: &str) -> bool {
    const TAKING: [&str; 7] = [
        "backtrace::",
        "cyanotype::stack::",
        "cyanotype::failure::",
        "cyanotype::capture::",
        "rust_begin_unwind",
        "__rustc::rust_begin_unwind",
        "core::panicking::panic_fmt",
    ];
    TAKING.iter().any(|prefix| function.starts_with(prefix) || function.starts_with(&format!("<{prefix}")))
}

fn is_own(function: &str, file: Option<&str>) -> bool {
    let library = |file: &str| file.contains("/registry/src/") || file.starts_with("/rustc/") || file.contains("/library/std/");
    let core = function.trim_start_matches('<').starts_with("cyanotype::");
    !core && file.is_some_and(|file| !library(file))
}

/// The trace as text, as it stands in a record: a line for the function, a line for the place.
pub(crate) fn text(frames: &[Frame]) -> String {
    let mut text = String::new();
    for (at, frame) in frames.iter().enumerate() {
        let _ = writeln!(text, "{at:>4}: {}", frame.function);
        if let Some(file) = &frame.file {
            let _ = writeln!(text, "      at {file}:{}", frame.line.unwrap_or(0));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_begins_where_it_was_taken() {
        let stack = Stack::capture();
        let text = text(stack.frames());
        assert!(!text.contains("Backtrace::new_unresolved"), "{text}");
    }
}
