//! A fake Sentry that accepts and discards all requests.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Listens until this process exits, and returns the DSN.
pub fn start() -> Result<String, String> {
    let failed = |error: io::Error| format!("cannot listen on 127.0.0.1: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that disconnects does not affect the benchmark.
            std::thread::spawn(move || answer(stream));
        }
    });
    Ok(format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{port}/1"))
}

fn answer(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let Some(body) = read_head(&mut reader)? else { return Ok(()) };
        match body {
            Body::Sized(length) => {
                io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
            }
            Body::Chunked => skip_chunks(&mut reader)?,
        }
        let text = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        reader.get_mut().write_all(text.as_bytes())?;
    }
}

enum Body {
    Sized(u64),
    Chunked,
}

/// The framing of the body; `None` if there is no further request.
fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Body>> {
    let mut body = Body::Sized(0);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let lower = line.trim().to_ascii_lowercase();
        if let Some(length) = lower.strip_prefix("content-length:") {
            body = Body::Sized(length.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?);
        } else if lower.starts_with("transfer-encoding:") && lower.ends_with("chunked") {
            body = Body::Chunked;
        } else if lower.is_empty() {
            return Ok(Some(body));
        }
    }
}

fn skip_chunks(reader: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
        // Each chunk, including the last empty one, is followed by a line end.
        io::copy(&mut (&mut *reader).take(length + 2), &mut io::sink())?;
        if length == 0 {
            return Ok(());
        }
    }
}
