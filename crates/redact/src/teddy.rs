//! The Teddy algorithm: a vectorized search for four-byte patterns in sixteen buckets, at 32 positions at a time.

use std::arch::x86_64::{
    _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
};

use crate::avx2::{ByteSets, WIDTH, load};

/// The number of bytes read to search [`WIDTH`] positions.
pub(crate) const READ: usize = WIDTH + 3;

/// The low and high nibbles of a set of bytes, a bit per value.
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

    /// How often a byte of a text has these nibbles: letters in lower case, digits and punctuation are the most frequent.
    fn frequency(self) -> u64 {
        let of_high = |high: u16| match high {
            2 | 3 | 6 | 7 => 16,
            4 | 5 => 4,
            _ => 1,
        };
        let highs = (0..16).filter(|high| self.high >> high & 1 == 1).map(of_high).sum::<u64>();
        u64::from(self.low.count_ones()) * highs
    }
}

/// The buckets whose bytes share a [`ByteSets`], a bit for each: a third group costs more than the false matches that it
/// prevents.
const GROUPS: usize = 2;
const GROUP_SIZE: usize = 8;

/// The possible nibbles of each byte of the patterns in a bucket.
type Bucket = [Nibbles; 4];

#[derive(Debug, Default)]
pub(crate) struct Teddy {
    buckets: [Bucket; GROUPS * GROUP_SIZE],
    /// The groups of buckets, by the position of a byte.
    sets: [[ByteSets; 4]; GROUPS],
}

impl Teddy {
    /// Adds a pattern to the bucket in which it causes the fewest additional matches.
    pub(crate) fn add(&mut self, pattern: Bucket) {
        let with = |bucket: &Bucket| std::array::from_fn(|n| bucket[n].union(pattern[n]));
        let fitting = |bucket: &Bucket| bucket.iter().map(|nibbles| nibbles.frequency()).product::<u64>();
        let more = |bucket: &Bucket| fitting(&with(bucket)) - fitting(bucket);
        let (nth, bucket) =
            self.buckets.iter_mut().enumerate().min_by_key(|(_, bucket)| more(bucket)).expect("there are buckets");
        *bucket = with(bucket);
        for (sets, nibbles) in self.sets[nth / GROUP_SIZE].iter_mut().zip(bucket) {
            sets.add(1 << (nth % GROUP_SIZE), nibbles.low, nibbles.high);
        }
    }

    /// The positions at which a pattern may start, a bit for each of the first [`WIDTH`].
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn candidates(&self, text: &[u8; READ]) -> u32 {
        let mut fits = [_mm256_set1_epi8(-1); GROUPS];
        for nth in 0..4 {
            let bytes = load(text[nth..].first_chunk().expect("three more are read"));
            for (fits, sets) in fits.iter_mut().zip(&self.sets) {
                *fits = _mm256_and_si256(*fits, sets[nth].of(bytes));
            }
        }
        let any = fits.into_iter().fold(_mm256_setzero_si256(), |any, fits| _mm256_or_si256(any, fits));
        let none = _mm256_cmpeq_epi8(any, _mm256_setzero_si256());
        !_mm256_movemask_epi8(none).cast_unsigned()
    }
}
