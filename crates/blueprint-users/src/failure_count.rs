//! Counts failed password checks, and calculates the delay after each.

use std::time::Duration;

use jiff::SignedDuration;

/// A counter of failures, by its key in the database.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    pub key: String,
    pub rule: Rule,
}

/// The number of failures without a delay. The delays after further failures depend on the variant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    Account { free: u32 },
    Address { free: u32 },
}

impl Rule {
    /// A counter expires this long after its last delay.
    pub(crate) const EXPIRES_AFTER: SignedDuration = SignedDuration::from_mins(15);

    /// The delay of the next attempt after this many failures: one second, doubled after each further failure.
    pub(crate) fn delay(self, failures: i64) -> Duration {
        // Many users can share an address, so its maximum delay is short.
        let (free, max_delay) = match self {
            Self::Account { free } => (free, Duration::from_mins(15)),
            Self::Address { free } => (free, Duration::from_mins(1)),
        };
        match failures - i64::from(free) {
            ..0 => Duration::ZERO,
            excess => Duration::from_secs(1 << excess.min(32)).min(max_delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_above_the_limit_doubles_the_delay() {
        let delays =
            |rule: Rule, failures: &[i64]| failures.iter().map(|it| rule.delay(*it).as_secs()).collect::<Vec<_>>();
        let account = Rule::Account { free: 3 };
        assert_eq!(delays(account, &[1, 2, 3, 4, 5, 12, 13, 1000, i64::MAX]), [0, 0, 1, 2, 4, 512, 900, 900, 900]);
        assert_eq!(delays(Rule::Address { free: 3 }, &[2, 3, 8, 9, 1000]), [0, 1, 32, 60, 60]);
    }
}
