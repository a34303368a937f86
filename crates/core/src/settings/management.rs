//! The listener of the health checks, and of what is on now.

use cyanotype_settings::section;

use super::server::check_host;

/// The fewest characters of a token.
const MIN_TOKEN_LENGTH: usize = 8;

section! {
    /// The listener of the health checks, and of log control.
    pub struct ManagementSettings {
        /// the address of the health checks
        #[setting(Text, default = "127.0.0.1", check = check_host)]
        pub host: String,
        /// the port of the health checks; 0 takes a free one
        #[setting(Whole(0, 65535), default = 8081)]
        pub port: u16,
        /// bearer token of the requests under /log over TCP, 8 visible ASCII characters or more (32 random ones are recommended);
        /// when not set, reads are open and writes are refused
        #[setting(Secret, check = check_token)]
        pub token: Option<String>,
        /// path of a Unix socket, of mode 0600, that answers the same requests without a token
        #[setting(Text)]
        pub socket: Option<String>,
    }
}

/// A token is sent in a header.
fn check_token(token: &str) -> Result<(), String> {
    if token.len() < MIN_TOKEN_LENGTH || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "this token is not allowed; allowed are {MIN_TOKEN_LENGTH} visible ASCII characters or more"
        ));
    }
    Ok(())
}
