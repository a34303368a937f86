//! A fake flag provider that implements OFREP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;

use crate::FlagSource;

/// A received evaluation request.
#[derive(Debug, Clone)]
pub(super) struct Evaluation {
    pub flag: String,
    pub authorization: Option<String>,
    pub context: Value,
}

/// A response: status, body, and a delay before it.
pub(super) type Response = (u16, String, Duration);

type Behaviour = Box<dyn Fn(&Evaluation) -> Response + Send>;

pub(super) struct FakeProvider {
    url: String,
    behaviour: Arc<Mutex<Behaviour>>,
    received: Arc<Mutex<Vec<Evaluation>>>,
}

impl FakeProvider {
    pub(super) fn start(behaviour: impl Fn(&Evaluation) -> Response + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let behaviour: Arc<Mutex<Behaviour>> = Arc::new(Mutex::new(Box::new(behaviour)));
        let received = Arc::new(Mutex::new(Vec::new()));
        let shared = (Arc::clone(&behaviour), Arc::clone(&received));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behaviour, received) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
                // The thread ends when the client disconnects.
                std::thread::spawn(move || while serve(&stream, &behaviour, &received).is_some() {});
            }
        });
        Self { url, behaviour, received }
    }

    pub(super) fn source(&self, token: Option<&str>) -> FlagSource {
        FlagSource::Ofrep { url: self.url.clone(), token: token.map(str::to_owned) }
    }

    pub(super) fn behave(&self, behaviour: impl Fn(&Evaluation) -> Response + Send + 'static) {
        *self.behaviour.lock() = Box::new(behaviour);
    }

    pub(super) fn received(&self) -> Vec<Evaluation> {
        self.received.lock().clone()
    }
}

/// Serves one request of a connection; `None` if there are no more requests.
fn serve(mut stream: &TcpStream, behaviour: &Mutex<Behaviour>, received: &Mutex<Vec<Evaluation>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("POST"), "{line}");
    let flag = words.next()?.strip_prefix("/ofrep/v1/evaluate/flags/").expect("the protocol's path").to_owned();
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a length"),
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let evaluation = Evaluation { flag, authorization, context: body["context"].clone() };
    let (status, body, delay) = behaviour.lock()(&evaluation);
    received.lock().push(evaluation);
    std::thread::sleep(delay);
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .ok()
}
