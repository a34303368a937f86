//! Counts refused debug tokens. One warning per window reports the counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::window_counter::WindowCounter;

/// Why a debug token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error("{} debug token", self.as_str())]
pub enum TokenError {
    /// It does not have the format of a token.
    Malformed,
    /// It is not signed with the key of this service.
    Forged,
    /// It is past its expiry.
    Expired,
    /// It is valid, but for another route or another trace. [`DebugKey::verify`](super::DebugKey::verify) does not check this.
    Foreign,
}

impl TokenError {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenError::Malformed => "malformed",
            TokenError::Forged => "forged",
            TokenError::Expired => "expired",
            TokenError::Foreign => "foreign",
        }
    }
}

/// Counts refused tokens. It does not store them, so that no client can write into a record.
#[derive(Debug)]
pub struct RefusedTokenCounter {
    total: AtomicU64,
    counter: WindowCounter<RefusedTokens>,
}

/// The refused tokens of a window, counted by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefusedTokens(BTreeMap<TokenError, u64>);

impl RefusedTokenCounter {
    /// Creates a counter that reports at most once per `window`.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { total: AtomicU64::new(0), counter: WindowCounter::new("debug-tokens", window) }
    }

    /// Counts a refused token. The first one opens a window; when it ends, `report` is called with the counts, on a separate
    /// thread.
    pub fn count(&self, reason: TokenError, report: impl FnOnce(RefusedTokens) + Send + 'static) {
        // A statistic: no other memory access is ordered by it.
        self.total.fetch_add(1, Ordering::Relaxed);
        self.counter.count(|refused| *refused.0.entry(reason).or_default() += 1, report);
    }

    /// The number of tokens refused since the start.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Closes the current window and returns its counts, which have not been reported.
    #[must_use]
    pub fn close(&self) -> Option<RefusedTokens> {
        self.counter.close()
    }
}

impl RefusedTokens {
    /// The message and the data of the warning.
    #[must_use]
    pub fn into_report(self) -> (String, Map<String, Value>) {
        let total: u64 = self.0.values().sum();
        let named: Vec<String> = self.0.iter().map(|(reason, count)| format!("{count} {}", reason.as_str())).collect();
        let counts: Map<String, Value> =
            self.0.iter().map(|(reason, count)| (reason.as_str().to_owned(), (*count).into())).collect();
        let message = format!("refused {total} debug tokens ({})", named.join(", "));
        (message, Map::from_iter([("refused".to_owned(), counts.into())]))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use cyanotype_redact::Redactor;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_window_has_one_report_with_counts_by_reason() {
        let (sender, reports) = mpsc::channel();
        let refusals = RefusedTokenCounter::new(Duration::from_millis(300));
        let count = |reason| {
            let sender = sender.clone();
            refusals.count(reason, move |refused| sender.send(refused).expect("it is received"));
        };
        for reason in
            [TokenError::Forged, TokenError::Expired, TokenError::Forged, TokenError::Malformed, TokenError::Foreign]
        {
            count(reason);
        }
        let (message, data) = reports.recv_timeout(Duration::from_secs(10)).expect("the window ends").into_report();
        assert_eq!(message, "refused 5 debug tokens (1 malformed, 2 forged, 1 expired, 1 foreign)");
        let expected = json!({"refused": {"malformed": 1, "forged": 2, "expired": 1, "foreign": 1}});
        assert_eq!(Value::from(data), expected);
        count(TokenError::Expired);
        let next = reports.recv_timeout(Duration::from_secs(10)).expect("the second window ends");
        assert_eq!(next, RefusedTokens([(TokenError::Expired, 1)].into()));
        assert!(reports.try_recv().is_err());
        assert_eq!(refusals.total(), 6, "across all windows");
    }

    #[test]
    fn closing_returns_the_open_window() {
        let refusals = RefusedTokenCounter::new(Duration::from_secs(3600));
        refusals.count(TokenError::Forged, |_| panic!("the window has not ended"));
        assert_eq!(refusals.close(), Some(RefusedTokens([(TokenError::Forged, 1)].into())));
        assert_eq!((refusals.close(), refusals.total()), (None, 1));
    }

    /// The redactor looks for the word `token`.
    #[test]
    fn the_report_passes_the_redactor_unchanged() {
        let refused =
            RefusedTokens([(TokenError::Malformed, 1), (TokenError::Forged, 12), (TokenError::Expired, 3)].into());
        let (message, data) = refused.into_report();
        let (mut redacted_message, mut redacted_data) = (message.clone(), data.clone());
        let redactor = Redactor::default();
        redactor.text_in_place(&mut redacted_message);
        redactor.map(&mut redacted_data);
        assert_eq!((redacted_message, redacted_data), (message, data));
    }
}
