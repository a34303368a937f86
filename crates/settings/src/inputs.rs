//! Where settings are looked for.

use std::fmt;
use std::path::PathBuf;

use crate::layers::Leaf;

/// Where settings are looked for.
#[derive(Clone)]
pub(crate) struct Inputs {
    pub directory: PathBuf,
    pub environment: Vec<(String, String)>,
    pub flags: Vec<Leaf>,
}

/// Secrets are in the environment.
impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs").field("directory", &self.directory).finish_non_exhaustive()
    }
}
