//! A response's record as a line.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use jiff::Timestamp;

use crate::record::{BodyDetail, Detail, Kind, Level, Outcome, Record, ResponseDetail};
use crate::redact::{Content, Redactor};
use crate::request::RequestContext;
use crate::{bodies, json};

fn response(body: String) -> Record {
    let context = RequestContext::new(&HeaderMap::new(), &Redactor::default());
    context.set_blueprint("orders");
    context.set_endpoint(Method::GET, Some("/orders/{id}".into()));
    Record {
        at: Timestamp::now(),
        level: Level::Info,
        kind: Kind::Response,
        message: "GET /orders/01a20497-2e54-7036-97b5-a1c884441021 200".into(),
        target: "cyanotype::response_log".into(),
        span: None,
        request: Some(Arc::new(context)),
        failure: None,
        event_id: None,
        detail: Detail::Response(Box::new(ResponseDetail {
            method: "GET".into(),
            route: Some("/orders/{id}".into()),
            path: "/orders/01a20497-2e54-7036-97b5-a1c884441021".into(),
            query: None,
            status: Some(200),
            duration_ms: 0.123,
            outcome: Outcome::Complete,
            response: BodyDetail {
                content_type: Some("application/json".into()),
                coding: None,
                size: body.len() as u64,
                content: Some(Content { text: body.into(), truncated: false }),
            },
            request: None,
            client_address: Some("127.0.0.1".into()),
            user_agent: Some("curl/7.88.1".into()),
        })),
    }
}

#[divan::bench(args = [0, 500, 8_000])]
fn of_a_response(bencher: Bencher<'_, '_>, body: usize) {
    let record = response(bodies::clean(body));
    let mut line = Vec::new();
    json::line(&record, &mut line);
    bencher.counter(BytesCount::from(line.len())).bench_local(move || {
        line.clear();
        json::line(black_box(&record), &mut line);
        black_box(line.len())
    });
}
