//! The command line of a server.

use std::ffi::OsString;
use std::path::Path;

/// A program with its arguments and environment variables.
pub struct Program {
    pub argv: Vec<OsString>,
    pub env: Vec<(String, OsString)>,
}

impl Program {
    pub fn new(program: &Path, args: &[&str]) -> Self {
        let args = args.iter().map(OsString::from);
        Self { argv: [program.as_os_str().to_owned()].into_iter().chain(args).collect(), env: vec![] }
    }
}
