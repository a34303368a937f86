//! Color on stderr, if that is a terminal and `NO_COLOR` is not set.

use std::io::{self, IsTerminal};

pub fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

pub fn red(text: &str) -> String {
    paint("1;31", text)
}

pub fn dim(text: &str) -> String {
    paint("2", text)
}

fn paint(code: &str, text: &str) -> String {
    // https://no-color.org
    let disabled = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match is_terminal() && !disabled {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}
