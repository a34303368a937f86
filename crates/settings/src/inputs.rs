//! The inputs of a load.

use std::fmt;
use std::path::PathBuf;

use crate::layers::Leaf;

/// The inputs of a load.
#[derive(Clone)]
pub(crate) struct Inputs {
    pub directory: PathBuf,
    pub environment: Vec<(String, String)>,
    pub flags: Vec<Leaf>,
}

/// Omits the environment and the flags, which may contain secrets.
impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs").field("directory", &self.directory).finish_non_exhaustive()
    }
}
