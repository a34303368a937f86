//! An actix-web service without blueprints that produces every kind of response. With `--wrapped` it uses the
//! response-logging wrapper; otherwise it does not use Cyanotype.

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use actix_files::Files;
use actix_web::body::{MessageBody, SizedStream};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::{ContentEncoding, ContentType};
use actix_web::middleware::Compress;
use actix_web::web::{self, Bytes, Payload, ServiceConfig};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, HttpServer, Responder};
use cyanotype::Recorder;
use cyanotype::settings::{Loader, Settings};
use futures_util::{Stream, StreamExt, stream};

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Loader::new("config").process_environment().load()?;
    if std::env::args().any(|argument| argument == "--wrapped") {
        let recorder = Recorder::start(&settings);
        let logger = recorder.response_logger();
        // A failure before the server runs, whose reports must not be lost either.
        if std::env::var_os("FAIL_EARLY").is_some() {
            tracing::info!("about to fail");
            cyanotype::capture_event("captured before the failure");
            "no number".parse::<u8>()?;
        }
        serve(&settings, move || App::new().configure(routes).wrap(logger.clone()).wrap(Compress::default()))?;
    } else {
        serve(&settings, || App::new().configure(routes).wrap(Compress::default()))?;
    }
    Ok(())
}

fn serve<F, A, B>(settings: &Settings, app: F) -> std::io::Result<()>
where
    F: Fn() -> App<A> + Send + Clone + 'static,
    A: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let server = || {
        let server = HttpServer::new(app).workers(1);
        let server = server.bind((settings.server.host.as_str(), settings.server.port))?;
        server.bind((settings.management.host.as_str(), settings.management.port))
    };
    actix_web::rt::System::new().block_on(async { server()?.run().await })
}

fn routes(config: &mut ServiceConfig) {
    let files = std::env::var_os("FILES").map_or_else(|| PathBuf::from("."), PathBuf::from);
    config
        .route("/health/live", web::get().to(HttpResponse::Ok))
        .route("/plain", web::get().to(async || "plain text"))
        .route("/plain", web::head().to(async || "plain text"))
        .route(
            "/json",
            web::get().to(async || web::Json(serde_json::json!({"text": "abc".repeat(3000), "token": "t0p"}))),
        )
        .route("/empty", web::get().to(async || ""))
        .route("/nothing", web::get().to(HttpResponse::NoContent))
        .route("/coded", web::get().to(coded))
        .route("/events", web::get().to(events))
        .route("/stream", web::get().to(async || HttpResponse::Ok().streaming(chunks(5))))
        .route("/sized", web::get().to(async || HttpResponse::Ok().body(SizedStream::new(5 * 6, chunks(5)))))
        .route("/broken", web::get().to(broken))
        .route("/error", web::get().to(async || Err::<&str, _>(ErrorInternalServerError("the disk is full"))))
        .route("/echo", web::route().to(echo))
        .route("/count", web::post().to(count))
        .route("/unread", web::post().to(async |_: Payload| "not read"))
        .route("/socket", web::get().to(socket))
        .service(Files::new("/files", files));
}

/// This many chunks; every second one is delayed.
fn chunks(count: usize) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    stream::iter(0..count).then(|n| async move {
        if n % 2 == 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Bytes::from(format!("part {n}")))
    })
}

/// A response that declares a content coding itself.
async fn coded() -> impl Responder {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .insert_header(ContentEncoding::Gzip)
        .body("no gzip, really")
}

async fn events() -> impl Responder {
    let events = chunks(4).map(|chunk| chunk.map(|chunk| Bytes::from([b"data: ", &*chunk, b"\n\n"].concat())));
    HttpResponse::Ok().content_type("text/event-stream").streaming(events)
}

async fn broken() -> impl Responder {
    let failure = stream::once(async { Err(ErrorInternalServerError("the stream failed")) });
    HttpResponse::Ok().streaming(chunks(2).chain(failure))
}

async fn echo(request: HttpRequest, body: Bytes) -> impl Responder {
    HttpResponse::Ok().content_type(request.content_type().to_owned()).body(body)
}

/// Reads the body as a stream and returns its length.
async fn count(mut body: Payload) -> actix_web::Result<String> {
    let mut bytes = 0;
    while let Some(chunk) = body.next().await {
        bytes += chunk?.len();
    }
    Ok(bytes.to_string())
}

/// Echoes text messages until the peer closes.
async fn socket(request: HttpRequest, body: Payload) -> actix_web::Result<HttpResponse> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    #[expect(clippy::disallowed_methods, reason = "typical of a service written without these crates")]
    actix_web::rt::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            match message {
                actix_ws::Message::Text(text) => session.text(text).await.unwrap_or_default(),
                actix_ws::Message::Close(reason) => {
                    let _ = session.close(reason).await;
                    break;
                }
                _ => {}
            }
        }
    });
    Ok(response)
}
