//! Watching the configuration files.

use std::time::Duration;

use cyanotype_settings::section;

section! {
    /// Watching the configuration files.
    pub struct ConfigFileSettings {
        /// interval in seconds between checks of the configuration and secret files for changed content; symbolic links are
        /// followed; a change is applied as on SIGHUP; 0 disables the checks
        #[setting(Integer(0, 3600), default = 0)]
        watch_s: u64,
    }
}

impl ConfigFileSettings {
    /// How often the files are checked for changes; `None`: never.
    #[must_use]
    pub fn watch(&self) -> Option<Duration> {
        (self.watch_s > 0).then(|| Duration::from_secs(self.watch_s))
    }
}
