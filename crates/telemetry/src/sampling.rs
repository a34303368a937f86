//! Sampling.

/// Whether one of a `share` (from 0 to 1) of all is sampled.
#[must_use]
pub fn is_sampled(rate: f64) -> bool {
    rate >= 1.0 || random_fraction() < rate
}

/// A number from 0 to 1, below it.
fn random_fraction() -> f64 {
    // 53 random bits are what a double holds; a random UUID brings 122.
    (uuid::Uuid::new_v4().as_u128() >> 75) as u64 as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sampled_share_follows_the_rate() {
        let sampled = |rate| (0..1000).filter(|_| is_sampled(rate)).count();
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 1000));
        assert!((350..650).contains(&sampled(0.5)));
    }
}
