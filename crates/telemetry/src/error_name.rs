//! Names of error types, such as `ParseIntError`: an exception's type in records and in Sentry.

use std::error::Error;
use std::fmt::{self, Write};
use std::io;

/// The name of an error whose type is unknown. It is the same for all of them, so that they are grouped by other properties.
pub(crate) const UNKNOWN: &str = "Error";

/// Maximum length of a name in bytes.
const MAX_NAME: usize = 100;

/// Types that can contain an error of any type, or only a text.
const CONTAINERS: [&str; 6] = [
    "alloc::borrow::Cow",
    "alloc::boxed::Box",
    "alloc::string::String",
    "anyhow::Error",
    "eyre::Report",
    "std::io::error::Error",
];

/// The name of a static type; `None` for a container of errors of other types, and for texts.
///
/// ```
/// use cyanotype_telemetry::error_name;
///
/// assert_eq!(error_name::of_type::<std::num::ParseIntError>().as_deref(), Some("ParseIntError"));
/// assert_eq!(error_name::of_type::<serde_json::Error>().as_deref(), Some("serde_json::Error"));
/// assert_eq!(error_name::of_type::<Box<dyn std::error::Error>>(), None);
/// ```
#[must_use]
pub fn of_type<T: ?Sized>() -> Option<String> {
    let path = std::any::type_name::<T>().split('<').next().unwrap_or_default();
    // Others are references, trait objects and the like.
    let is_path = path.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '{' | '}' | '#'));
    (is_path && !CONTAINERS.contains(&path)).then(|| short(path))
}

/// The last segment of a path; for `Error`, with the crate.
fn short(path: &str) -> String {
    let segments: Vec<&str> = path.split("::").collect();
    match segments[..] {
        ["core" | "alloc" | "std", module, .., UNKNOWN] => format!("std::{module}::{UNKNOWN}"),
        [first, .., UNKNOWN] => format!("{first}::{UNKNOWN}"),
        [.., last] => last.to_owned(),
        [] => UNKNOWN.to_owned(),
    }
}

/// The name of an error's type, if it can be known; `message` is its `Display` text.
pub(crate) fn of(error: &(dyn Error + 'static), message: &str) -> Option<String> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // Its texts are those of the error that it contains.
        let inner = error.get_ref().and_then(|inner| of(inner, message));
        return Some(inner.unwrap_or_else(|| short("std::io::error::Error")));
    }
    known(error).or_else(|| from_debug(error, message)).filter(|name| name != UNKNOWN)
}

/// The name of a type whose `Debug` text does not contain it.
fn known(error: &(dyn Error + 'static)) -> Option<String> {
    macro_rules! first_of {
        ($($type:ty),+ $(,)?) => { None$(.or_else(|| error.is::<$type>().then(of_type::<$type>)))+.flatten() };
    }
    first_of!(
        fmt::Error,
        jiff::Error,
        serde_json::Error,
        std::env::VarError,
        std::sync::mpsc::RecvTimeoutError,
        std::sync::mpsc::TryRecvError,
        tokio::task::JoinError,
        url::ParseError,
        uuid::Error,
    )
}

/// The name at the start of a derived `Debug` text: `Name`, `Name(…)` or `Name { … }`.
fn from_debug(error: &(dyn Error + 'static), message: &str) -> Option<String> {
    let mut debug = Start { text: String::new(), max: MAX_NAME.max(message.len()) + 1 };
    // Ends early once the start is complete.
    let _ = write!(debug, "{error:?}");
    let debug = debug.text;
    let end = debug.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':'))).unwrap_or(debug.len());
    let (path, rest) = debug.split_at(end);
    let name = path.rsplit("::").next().filter(|name| name.starts_with(char::is_uppercase))?;
    let is_structure = rest.starts_with('(') || rest.starts_with(" {");
    // Errors such as those of anyhow display their message in `Debug`, too; some types display their `Debug` text.
    let is_message = !message.is_empty() && debug.starts_with(message);
    let is_whole = debug == message && debug.ends_with([')', '}']);
    let is_derived = if is_structure { !is_message || is_whole } else { rest.is_empty() && !is_message };
    (is_derived && !name.contains(':') && path.len() <= MAX_NAME).then(|| path.to_owned())
}

/// Collects the start of a text, then stops the formatting, since the text may be long.
struct Start {
    text: String,
    max: usize,
}

impl Write for Start {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let left = self.max - self.text.len();
        self.text.push_str(&piece[..piece.floor_char_boundary(left)]);
        if piece.len() > left { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error with these `Display` and `Debug` texts.
    struct Texts(&'static str, &'static str);
    impl fmt::Display for Texts {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }
    impl fmt::Debug for Texts {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
    }
    impl Error for Texts {}

    fn name(error: &(dyn Error + 'static)) -> Option<String> {
        of(error, &error.to_string())
    }

    #[test]
    fn a_derived_debug_text_begins_with_the_name() {
        for (display, debug, expected) in [
            ("no stock", "NoStock", "NoStock"),
            ("no stock", "NoStock(7)", "NoStock"),
            ("no stock", "NoStock { sku: 7 }", "NoStock"),
            ("", "NoStock", "NoStock"),
            ("NoStock(7)", "NoStock(7)", "NoStock"),
            ("NoStock { sku: 7 }", "NoStock { sku: 7 }", "NoStock"),
            ("broken", "actix_http::Error { kind: Payload }", "actix_http::Error"),
        ] {
            assert_eq!(name(&Texts(display, debug)).as_deref(), Some(expected), "{debug}");
        }
    }

    #[test]
    fn the_first_word_of_a_message_is_no_name() {
        for (display, debug) in [
            ("connection refused", "connection refused"),
            ("Connection refused", "Connection refused"),
            ("Connection refused", "Connection refused\n\nCaused by:\n    broken"),
            ("Refused", "Refused\n\nCaused by:\n    broken"),
            ("Item(7) is missing", "Item(7) is missing"),
            ("Refused", "Refused"),
            ("a text", "\"a text\""),
            ("broken", "Error { context: \"broken\" }"),
            ("broken", "module::lower"),
            ("broken", ""),
            ("broken", "::"),
        ] {
            assert_eq!(name(&Texts(display, debug)), None, "{debug}");
        }
        let long: &'static str = "A".repeat(200).leak();
        assert_eq!(name(&Texts("broken", long)), None);
    }

    #[test]
    fn types_of_std_are_known() {
        let io = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(name(&io).as_deref(), Some("std::io::Error"));
        assert_eq!(name(&io::Error::from_raw_os_error(2)).as_deref(), Some("std::io::Error"));
        assert_eq!(name(&io::Error::other("Refused by peer")).as_deref(), Some("std::io::Error"));
        assert_eq!(name(&io::Error::other(Texts("no stock", "NoStock(7)"))).as_deref(), Some("NoStock"));
        assert_eq!(name(&io::Error::other(io::Error::other(fmt::Error))).as_deref(), Some("std::fmt::Error"));
        assert_eq!(name(&std::env::VarError::NotPresent).as_deref(), Some("VarError"));
        let json = serde_json::from_str::<u8>("x").expect_err("it is no number");
        assert_eq!(name(&json).as_deref(), Some("serde_json::Error"));
    }

    #[test]
    fn a_static_type_has_a_short_name() {
        assert_eq!(of_type::<Texts>().as_deref(), Some("Texts"));
        assert_eq!(of_type::<std::sync::PoisonError<Vec<u8>>>().as_deref(), Some("PoisonError"));
        assert_eq!(of_type::<fmt::Error>().as_deref(), Some("std::fmt::Error"));
        for container in [
            of_type::<&str>(),
            of_type::<String>(),
            of_type::<io::Error>(),
            of_type::<Box<dyn Error + Send + Sync>>(),
            of_type::<dyn Error>(),
        ] {
            assert_eq!(container, None);
        }
    }
}
