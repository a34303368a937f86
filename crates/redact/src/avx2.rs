//! Classification of 32 bytes at a time on processors with AVX2.
//!
//! Each of a byte's two nibbles is looked up in a table of up to eight sets, a bit per set. The byte is in the sets
//! that both nibbles have in common.

use std::arch::x86_64::{
    __m256i, _mm_set_epi64x, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_set_epi64x, _mm256_set1_epi8,
    _mm256_shuffle_epi8, _mm256_srli_epi16,
};

/// The number of bytes classified at a time.
pub(crate) const WIDTH: usize = 32;

/// Whether this processor supports `#[target_feature(enable = "avx2,popcnt")]`.
pub(crate) fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// Up to eight sets of bytes, a bit per set.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ByteSets {
    low: [u8; 16],
    high: [u8; 16],
}

impl ByteSets {
    pub(crate) const NONE: Self = Self { low: [0; 16], high: [0; 16] };

    /// Adds the bytes with these nibbles, given as bit masks, to a set.
    pub(crate) const fn add(&mut self, set: u8, low: u16, high: u16) {
        let mut nibble = 0;
        while nibble < 16 {
            self.low[nibble] |= set * (low >> nibble & 1) as u8;
            self.high[nibble] |= set * (high >> nibble & 1) as u8;
            nibble += 1;
        }
    }

    /// The sets that contain a byte.
    pub(crate) const fn of_byte(&self, byte: u8) -> u8 {
        self.low[(byte & 0xf) as usize] & self.high[(byte >> 4) as usize]
    }

    /// The sets that contain each of these bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn of(&self, bytes: __m256i) -> __m256i {
        let mask = _mm256_set1_epi8(0xf);
        let low = _mm256_shuffle_epi8(twice(&self.low), _mm256_and_si256(bytes, mask));
        let high = _mm256_shuffle_epi8(twice(&self.high), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), mask));
        _mm256_and_si256(low, high)
    }
}

#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn load(bytes: &[u8; WIDTH]) -> __m256i {
    let [a, b, c, d] = words(bytes);
    _mm256_set_epi64x(d, c, b, a)
}

/// The 16 bytes repeated in both lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn twice(bytes: &[u8; 16]) -> __m256i {
    let [a, b] = words(bytes);
    _mm256_broadcastsi128_si256(_mm_set_epi64x(b, a))
}

/// Reads integers without a pointer cast; the compiler emits a single load.
pub(crate) fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [i64; WORDS] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|n| i64::from_le_bytes(words[n]))
}
