//! The listener of the health checks.

use cyanotype_settings::section;

use super::server::check_host;

section! {
    /// The listener of the health checks.
    pub struct Management {
        /// the address of the health checks
        #[setting(Text, default = "127.0.0.1", check = check_host)]
        pub host: String,
        /// the port of the health checks; 0 takes a free one
        #[setting(Whole(0, 65535), default = 8081)]
        pub port: u16,
    }
}
