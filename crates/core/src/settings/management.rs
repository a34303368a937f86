//! The listener of the health checks, and of what is on now.

use cyanotype_settings::section;

use super::server::check_host;

/// The fewest characters of a token.
const SHORTEST_TOKEN: usize = 16;

section! {
    /// The listener of the health checks, and of what is on now.
    pub struct Management {
        /// the address of the health checks
        #[setting(Text, default = "127.0.0.1", check = check_host)]
        pub host: String,
        /// the port of the health checks; 0 takes a free one
        #[setting(Whole(0, 65535), default = 8081)]
        pub port: u16,
        /// the bearer token for everything under `/log` there, 16 visible ASCII characters or more; without it what is on
        /// can be read and not changed over TCP
        #[setting(Secret, check = check_token)]
        pub token: Option<String>,
        /// the path of a Unix socket (mode 0600) that answers the same and asks for no token
        #[setting(Text)]
        pub socket: Option<String>,
    }
}

/// A token is sent in a header.
fn check_token(token: &str) -> Result<(), String> {
    if token.len() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "this token is not allowed; allowed are {SHORTEST_TOKEN} visible ASCII characters or more"
        ));
    }
    Ok(())
}
