//! Asks a management listener whether its process is live.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const REQUEST: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 ";

/// Whether the service at the other end answers `/health/live` with 200. It waits without a limit.
///
/// # Errors
/// When the connection ends before that.
pub(crate) async fn is_live(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<bool> {
    stream.write_all(REQUEST).await?;
    let mut response = [0; RESPONSE.len()];
    stream.read_exact(&mut response).await?;
    Ok(response == RESPONSE)
}
