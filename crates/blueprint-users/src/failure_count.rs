//! One count of wrong passwords, and what each further one costs.

use std::time::Duration;

use jiff::SignedDuration;

/// One count of failures.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    pub key: String,
    pub rule: Rule,
}

/// How many failures cost nothing, and what each further one costs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    Account { free: u32 },
    Address { free: u32 },
}

impl Rule {
    /// A count ends so long after its last delay.
    pub(crate) const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(15);

    /// How long the next attempt must wait after so many failures: a second, and twice as long after each further one.
    pub(crate) fn delay(self, failures: i64) -> Duration {
        // Many people can share an address: it is never blocked for long.
        let (free, longest) = match self {
            Self::Account { free } => (free, Duration::from_mins(15)),
            Self::Address { free } => (free, Duration::from_mins(1)),
        };
        match failures - i64::from(free) {
            ..0 => Duration::ZERO,
            beyond => Duration::from_secs(1 << beyond.min(32)).min(longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_beyond_the_free_ones_costs_twice_as_much() {
        let delays =
            |rule: Rule, failures: &[i64]| failures.iter().map(|it| rule.delay(*it).as_secs()).collect::<Vec<_>>();
        let account = Rule::Account { free: 3 };
        assert_eq!(delays(account, &[1, 2, 3, 4, 5, 12, 13, 1000, i64::MAX]), [0, 0, 1, 2, 4, 512, 900, 900, 900]);
        assert_eq!(delays(Rule::Address { free: 3 }, &[2, 3, 8, 9, 1000]), [0, 1, 32, 60, 60]);
    }
}
