//! Counts the requests refused because of a rate limit or overload. One warning per window reports the counts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::window_counter::WindowCounter;

/// Maximum number of routes in a warning.
const MAX_ROUTES: usize = 20;

/// Marks the response to a request that was refused because of a rate limit or overload. It does not count as a failure,
/// regardless of its status.
#[derive(Debug, Clone, Copy)]
pub struct RefusedRequest;

/// Counts requests refused because of a rate limit or overload.
#[derive(Debug)]
pub(crate) struct RefusedRequestCounter(WindowCounter<RefusedRequests>);

/// The refused requests of a window, counted by status and route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RefusedRequests {
    statuses: BTreeMap<u16, u64>,
    /// Requests whose route is known.
    routes: BTreeMap<String, u64>,
}

impl RefusedRequestCounter {
    pub(crate) fn new(window: Duration) -> Self {
        Self(WindowCounter::new("refusals", window))
    }

    /// Counts a request. The first one opens a window; when it ends, `report` is called with the counts.
    pub(crate) fn count(
        &self,
        status: u16,
        route: Option<String>,
        report: impl FnOnce(RefusedRequests) + Send + 'static,
    ) {
        let add = |refused: &mut RefusedRequests| {
            *refused.statuses.entry(status).or_default() += 1;
            if let Some(route) = route {
                *refused.routes.entry(route).or_default() += 1;
            }
        };
        self.0.count(add, report);
    }

    /// Closes the current window and returns its counts.
    pub(crate) fn close(&self) -> Option<RefusedRequests> {
        self.0.close()
    }
}

impl RefusedRequests {
    /// The message and the data of the warning.
    pub(crate) fn into_report(self) -> (String, Map<String, Value>) {
        let total: u64 = self.statuses.values().sum();
        let message = format!("refused {total} requests: rate limit or overload");
        let mut routes: Vec<(String, u64)> = self.routes.into_iter().collect();
        routes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        routes.truncate(MAX_ROUTES);
        let routes: Map<String, Value> = routes.into_iter().map(|(route, count)| (route, count.into())).collect();
        let statuses: Map<String, Value> =
            self.statuses.into_iter().map(|(status, count)| (status.to_string(), count.into())).collect();
        (message, Map::from_iter([("refused".to_owned(), statuses.into()), ("routes".to_owned(), routes.into())]))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_window_has_one_report_with_counts_by_status() {
        let (sender, reports) = mpsc::channel();
        let refusals = RefusedRequestCounter::new(Duration::from_millis(50));
        let count = |status, route: Option<&str>| {
            let sender = sender.clone();
            refusals
                .count(status, route.map(str::to_owned), move |refused| sender.send(refused).expect("it is received"));
        };
        for _ in 0..3 {
            count(429, Some("POST /login"));
        }
        count(503, None);
        let refused = reports.recv_timeout(Duration::from_secs(10)).expect("the window ends");
        let (message, data) = refused.into_report();
        assert_eq!(message, "refused 4 requests: rate limit or overload");
        assert_eq!(Value::from(data), json!({"refused": {"429": 3, "503": 1}, "routes": {"POST /login": 3}}));
        count(429, None);
        assert_eq!(
            reports.recv_timeout(Duration::from_secs(10)).expect("the second window ends").statuses,
            [(429, 1)].into()
        );
        assert!(reports.try_recv().is_err());
    }

    #[test]
    fn closing_returns_the_open_window() {
        let refusals = RefusedRequestCounter::new(Duration::from_secs(3600));
        refusals.count(429, None, |_| panic!("the window has not ended"));
        assert_eq!(refusals.close().expect("one was refused").statuses, [(429, 1)].into());
        assert_eq!(refusals.close(), None);
    }
}
