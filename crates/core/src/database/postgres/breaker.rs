//! A circuit breaker: during an outage requests fail at once, and one per second tries to connect.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::super::error::DatabaseError;

const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct CircuitBreaker(Mutex<Option<OpenState>>);

struct OpenState {
    outage: super::super::error::Outage,
    next_attempt: Instant,
}

impl CircuitBreaker {
    /// Allows an attempt to connect.
    ///
    /// # Errors
    /// The outage, if an attempt has failed within the last second or is in progress.
    pub(super) fn check(&self) -> Result<(), DatabaseError> {
        let mut open = self.0.lock();
        let now = Instant::now();
        match &mut *open {
            Some(open) if now < open.next_attempt => Err(open.outage.clone().into()),
            Some(open) => {
                // The others keep failing during this attempt.
                open.next_attempt = now + RETRY_AFTER;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn record_success(&self) {
        *self.0.lock() = None;
    }

    pub(super) fn record_failure(&self, error: &DatabaseError) {
        if let DatabaseError::Unavailable(outage) = error {
            *self.0.lock() = Some(OpenState { outage: outage.clone(), next_attempt: Instant::now() + RETRY_AFTER });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::error::OutageCause;
    use super::*;

    #[test]
    fn during_an_outage_one_attempt_per_second_is_allowed() {
        let breaker = CircuitBreaker::default();
        assert!(breaker.check().is_ok());
        breaker.record_failure(&DatabaseError::outage("postgres://db", OutageCause::Refused, None));
        let refused = breaker.check().expect_err("an outage");
        assert!(refused.to_string().starts_with("the database postgres://db refuses connections"), "{refused}");
        if let Some(open) = &mut *breaker.0.lock() {
            open.next_attempt = Instant::now();
        }
        assert!(breaker.check().is_ok(), "one attempt");
        assert!(breaker.check().is_err(), "no other attempt");
        breaker.record_success();
        assert!(breaker.check().is_ok());
    }
}
