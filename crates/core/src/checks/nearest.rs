//! Where a file would be created.

use std::path::{Path, PathBuf};

/// The path, or the nearest one above it that exists; from [`ExaminedProcess::path`](super::examined_process::ExaminedProcess::path).
pub(super) fn nearest(path: &Path) -> PathBuf {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/")).to_owned()
}
