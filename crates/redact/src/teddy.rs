//! The Teddy algorithm: a vectorized search for four-byte patterns in sixteen buckets, at 32 positions at a time.

use std::arch::x86_64::{
    _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
};

use std::cmp::Reverse;

use crate::avx2::{ByteSets, WIDTH, load};

/// The number of bytes read to search [`WIDTH`] positions.
pub(crate) const READ: usize = WIDTH + 3;

/// The low and high nibbles of a set of bytes, a bit per value.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
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
        const FREQUENT: u16 = 1 << 2 | 1 << 3 | 1 << 6 | 1 << 7;
        const CAPITALS: u16 = 1 << 4 | 1 << 5;
        let count = |mask: u16| u64::from((self.high & mask).count_ones());
        let highs = 16 * count(FREQUENT) + 4 * count(CAPITALS) + count(!(FREQUENT | CAPITALS));
        u64::from(self.low.count_ones()) * highs
    }
}

/// The buckets whose bytes share a [`ByteSets`], a bit for each: a third group costs more than the false matches that it
/// prevents.
const GROUPS: usize = 2;
const GROUP_SIZE: usize = 8;

/// The possible nibbles of each byte of the patterns in a bucket.
pub(crate) type Bucket = [Nibbles; 4];

fn union(bucket: &Bucket, pattern: &Bucket) -> Bucket {
    std::array::from_fn(|nth| bucket[nth].union(pattern[nth]))
}

/// How often a text fits all bytes of a bucket.
fn frequency(bucket: &Bucket) -> u64 {
    bucket.iter().map(|nibbles| nibbles.frequency()).product()
}

#[derive(Debug, Default)]
pub(crate) struct Teddy {
    /// The groups of buckets, by the position of a byte.
    sets: [[ByteSets; 4]; GROUPS],
}

impl Teddy {
    /// A search for these patterns, distributed so that a text fits few buckets by chance.
    pub(crate) fn new(mut patterns: Vec<Bucket>) -> Self {
        /// Later patterns make other buckets better for the earlier ones.
        const ROUNDS: usize = 4;
        patterns.sort_by_key(|pattern| Reverse(frequency(pattern)));
        patterns.dedup();
        let mut places: Vec<usize> = Vec::new();
        let mut buckets = [Bucket::default(); GROUPS * GROUP_SIZE];
        for round in 0..ROUNDS {
            for (nth, pattern) in patterns.iter().enumerate() {
                if round > 0 {
                    let others =
                        places.iter().enumerate().filter(|(other, place)| *other != nth && **place == places[nth]);
                    buckets[places[nth]] =
                        others.fold(Bucket::default(), |bucket, (other, _)| union(&bucket, &patterns[other]));
                }
                let more = |bucket: &Bucket| frequency(&union(bucket, pattern)) - frequency(bucket);
                let place = (0..buckets.len()).min_by_key(|place| more(&buckets[*place])).expect("there are buckets");
                buckets[place] = union(&buckets[place], pattern);
                if round == 0 { places.push(place) } else { places[nth] = place }
            }
        }
        let mut sets = <[[ByteSets; 4]; GROUPS]>::default();
        for (nth, bucket) in buckets.iter().enumerate() {
            for (sets, nibbles) in sets[nth / GROUP_SIZE].iter_mut().zip(bucket) {
                sets.add(1 << (nth % GROUP_SIZE), nibbles.low, nibbles.high);
            }
        }
        Self { sets }
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
