//! Patterns of four bytes in sixteen buckets, all of which are searched for in 32 places at once: the Teddy algorithm.

use std::arch::x86_64::{
    _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
};

use crate::avx2::{ByteSets, WIDTH, load};

/// So many bytes are read to look into [`WIDTH`] places.
pub(crate) const READ: usize = WIDTH + 3;

/// What bytes have in their halves, a bit for each value of four bits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nibbles {
    low: u16,
    high: u16,
}

impl Nibbles {
    pub(crate) fn of(bytes: impl Iterator<Item = u8>) -> Self {
        let with = |Self { low, high }, byte: u8| Self { low: low | 1 << (byte & 0xf), high: high | 1 << (byte >> 4) };
        bytes.fold(Self::default(), with)
    }

    fn union(self, other: Self) -> Self {
        Self { low: self.low | other.low, high: self.high | other.high }
    }

    /// How many bytes have such halves.
    fn count(self) -> u32 {
        self.low.count_ones() * self.high.count_ones()
    }
}

/// What each byte may be of the patterns in a bucket.
type Bucket = [Nibbles; 4];

#[derive(Debug, Default)]
pub(crate) struct Teddy {
    buckets: [Bucket; 16],
    /// The first eight of them and the others, by the place of a byte.
    sets: [[ByteSets; 4]; 2],
}

impl Teddy {
    /// Puts a pattern where it makes the least difference to how much fits.
    pub(crate) fn add(&mut self, pattern: Bucket) {
        let with = |bucket: &Bucket| std::array::from_fn(|n| bucket[n].union(pattern[n]));
        let fitting = |bucket: &Bucket| bucket.iter().map(|halves| u64::from(halves.count())).product::<u64>();
        let more = |bucket: &Bucket| fitting(&with(bucket)) - fitting(bucket);
        let (nth, bucket) =
            self.buckets.iter_mut().enumerate().min_by_key(|(_, bucket)| more(bucket)).expect("there are sixteen");
        *bucket = with(bucket);
        for (sets, halves) in self.sets[nth / 8].iter_mut().zip(bucket) {
            sets.add(1 << (nth % 8), halves.low, halves.high);
        }
    }

    /// Where something may begin that fits, a bit for each of the first [`WIDTH`] places.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn candidates(&self, text: &[u8; READ]) -> u32 {
        let mut fits = [_mm256_set1_epi8(-1); 2];
        for nth in 0..4 {
            let bytes = load(text[nth..].first_chunk().expect("three more are read"));
            for (fits, sets) in fits.iter_mut().zip(&self.sets) {
                *fits = _mm256_and_si256(*fits, sets[nth].of(bytes));
            }
        }
        let [some, others] = fits;
        let none = _mm256_cmpeq_epi8(_mm256_or_si256(some, others), _mm256_setzero_si256());
        !_mm256_movemask_epi8(none).cast_unsigned()
    }
}
