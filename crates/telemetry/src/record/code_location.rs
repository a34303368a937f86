use std::borrow::Cow;

use serde::Serialize;
use tracing::Metadata;

/// Where the code is that logged a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodeLocation {
    /// The source file.
    pub file: Cow<'static, str>,
    /// The line in the source file.
    pub line: Option<u32>,
    /// The path of the module.
    pub module: Option<Cow<'static, str>>,
}

impl CodeLocation {
    /// The location of an event of `tracing`.
    pub(crate) fn of(metadata: &'static Metadata<'static>) -> Option<Self> {
        let module = metadata.module_path().map(Cow::Borrowed);
        metadata.file().map(|file| Self { file: file.into(), line: metadata.line(), module })
    }

    /// The location of an event of the `log` crate, which is known only at run time.
    pub(crate) fn of_log(metadata: &Metadata<'_>) -> Option<Self> {
        let module = metadata.module_path().map(|path| Cow::Owned(path.to_owned()));
        metadata.file().map(|file| Self { file: file.to_owned().into(), line: metadata.line(), module })
    }
}
