//! A response's record as a line.

use std::time::Duration;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use jiff::Timestamp;

use crate::http::asked::Asked;
use crate::record::{BodyDetail, Level, Outcome, ResponseRecord};
use crate::redact::Content;
use crate::request::RequestContext;
use crate::{bodies, json};

#[divan::bench(args = [0, 500, 8_000])]
fn of_a_response(bencher: Bencher<'_, '_>, bytes: usize) {
    let context = RequestContext::with(None, None, Asked::default());
    context.set_blueprint("orders");
    context.set_route(Some("/orders/{id}".into()));
    let body = bodies::clean(bytes);
    let record = ResponseRecord {
        at: Timestamp::now(),
        level: Level::Info,
        request: &context,
        method: "GET".into(),
        path: "/orders/01a20497-2e54-7036-97b5-a1c884441021".into(),
        query: None,
        status: Some(200),
        duration: Duration::from_micros(123),
        outcome: Outcome::Complete,
        response: BodyDetail {
            content_type: Some("application/json".into()),
            coding: None,
            size: body.len() as u64,
            content: Some(Content { text: body.as_str().into(), truncated: false }),
        },
        asked: None,
        client_address: Some([127, 0, 0, 1].into()),
        user_agent: Some("curl/7.88.1".into()),
    };
    let mut line = Vec::new();
    json::response(&record, &mut line);
    bencher.counter(BytesCount::from(line.len())).bench_local(|| {
        line.clear();
        json::response(black_box(&record), &mut line);
        black_box(line.len())
    });
}
