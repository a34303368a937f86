//! Bytes classified 32 at a time, on processors with AVX2, which those of servers have since 2013.
//!
//! A byte is looked up by its two halves of four bits. What both halves have in common is what the byte is: up to eight
//! sets, each of some low halves with some high ones.

use std::arch::x86_64::{
    __m256i, _mm_set_epi64x, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_set_epi64x, _mm256_set1_epi8,
    _mm256_shuffle_epi8, _mm256_srli_epi16,
};

/// So many bytes at a time.
pub(crate) const WIDTH: usize = 32;

/// Whether this processor has all that `#[target_feature(enable = "avx2,popcnt")]` asks for.
pub(crate) fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// Sets of bytes, a bit for each.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ByteSets {
    low: [u8; 16],
    high: [u8; 16],
}

impl ByteSets {
    pub(crate) const NONE: Self = Self { low: [0; 16], high: [0; 16] };

    /// Puts the bytes with these halves, a bit for each half, into a set.
    pub(crate) const fn add(&mut self, set: u8, low: u16, high: u16) {
        let mut half = 0;
        while half < 16 {
            self.low[half] |= set * (low >> half & 1) as u8;
            self.high[half] |= set * (high >> half & 1) as u8;
            half += 1;
        }
    }

    /// The sets that a byte is in.
    pub(crate) const fn of_byte(&self, byte: u8) -> u8 {
        self.low[(byte & 0xf) as usize] & self.high[(byte >> 4) as usize]
    }

    /// The sets that each byte is in.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn of(&self, bytes: __m256i) -> __m256i {
        let half = _mm256_set1_epi8(0xf);
        let low = _mm256_shuffle_epi8(twice(&self.low), _mm256_and_si256(bytes, half));
        let high = _mm256_shuffle_epi8(twice(&self.high), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), half));
        _mm256_and_si256(low, high)
    }
}

#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn load(bytes: &[u8; WIDTH]) -> __m256i {
    let [a, b, c, d] = words(bytes);
    _mm256_set_epi64x(d, c, b, a)
}

/// The same 16 bytes in both halves.
#[target_feature(enable = "avx2")]
#[inline]
fn twice(bytes: &[u8; 16]) -> __m256i {
    let [a, b] = words(bytes);
    _mm256_broadcastsi128_si256(_mm_set_epi64x(b, a))
}

/// Without a pointer: the compiler makes one load of it.
pub(crate) fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [i64; WORDS] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|n| i64::from_le_bytes(words[n]))
}
