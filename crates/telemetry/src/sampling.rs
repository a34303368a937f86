//! Random sampling.

/// Returns true with the probability `rate`, from 0 to 1.
#[must_use]
pub fn is_sampled(rate: f64) -> bool {
    rate >= 1.0 || random_fraction() < rate
}

/// A random number from 0 (inclusive) to 1 (exclusive).
fn random_fraction() -> f64 {
    // A double has 53 bits of precision; a random UUID has 122 random bits.
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
