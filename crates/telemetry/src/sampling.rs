//! Sampling.

/// Whether one of a `share` (from 0 to 1) of all is drawn.
#[must_use]
pub fn draws(share: f64) -> bool {
    share >= 1.0 || random_fraction() < share
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
    fn none_all_and_about_a_half() {
        let drawn = |share| (0..1000).filter(|_| draws(share)).count();
        assert_eq!((drawn(0.0), drawn(1.0)), (0, 1000));
        assert!((350..650).contains(&drawn(0.5)));
    }
}
