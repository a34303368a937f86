//! The management listener: health checks and log control.

use cyanotype_settings::section;

use super::listen_host::{ListenHost, check_host};

/// Minimum length of `management.token`.
const MIN_TOKEN_LENGTH: usize = 8;

section! {
    /// The management listener: health checks and log control.
    pub struct ManagementSettings {
        /// listen address of the management listener (health checks, log control)
        #[setting(Text, default = "127.0.0.1", check = check_host)]
        pub host: ListenHost,
        /// listen port of the management listener; 0 selects a free port
        #[setting(Integer(0, 65535), default = 8081)]
        pub port: u16,
        /// bearer token for requests under /log over TCP: at least 8 visible ASCII characters (32 random ones are recommended);
        /// when unset, reads need no token and writes are refused
        #[setting(Secret, check = check_token)]
        pub token: Option<String>,
        /// path of a Unix socket (mode 0600) that serves the same requests without a token
        #[setting(Text)]
        pub socket: Option<String>,
    }
}

/// The token is sent in a header, which limits its characters.
fn check_token(token: &str) -> Result<(), String> {
    if token.len() < MIN_TOKEN_LENGTH || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "the token is too short or contains invalid characters; expected {MIN_TOKEN_LENGTH} or more visible ASCII characters"
        ));
    }
    Ok(())
}
