//! The files that settings are read from.

use std::time::Duration;

use cyanotype_settings::section;

section! {
    /// The files that settings are read from.
    pub struct ConfigFileSettings {
        /// seconds between two looks at the content of the files, those with secrets too, through symbolic links; a change
        /// is applied as SIGHUP does it; 0 does not look
        #[setting(Whole(0, 3600), default = 0)]
        watch_s: u64,
    }
}

impl ConfigFileSettings {
    /// How often a look is taken at the files; `None`: never.
    #[must_use]
    pub fn watch(&self) -> Option<Duration> {
        (self.watch_s > 0).then(|| Duration::from_secs(self.watch_s))
    }
}
