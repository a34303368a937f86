//! Escaping of 32 bytes at a time in text with many escapes: bytes are shuffled apart and backslashes inserted.

use std::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_cmpgt_epi8, _mm_cvtsi128_si64, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    _mm_setzero_si128, _mm_shuffle_epi8, _mm_unpackhi_epi64, _mm256_cmpgt_epi8, _mm256_movemask_epi8, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_testz_si256,
};

use crate::avx2::{ByteSets, load, words};
use crate::hostile::is_plain;

/// The sets of bytes that are escaped with a backslash.
const ESCAPED: u8 = 0b11;

/// The two bytes escaped with a backslash, and in other sets all other bytes that are not plain.
const SETS: ByteSets = {
    let mut sets = ByteSets::NONE;
    sets.add(1, 1 << 0x2, 1 << 0x2); // "
    sets.add(1 << 1, 1 << 0xc, 1 << 0x5); // \
    sets.add(1 << 2, u16::MAX, 1 << 0x0 | 1 << 0x1); // control characters
    sets.add(1 << 3, 1 << 0xc, 1 << 0x3); // <
    sets.add(1 << 4, 1 << 0xf, 1 << 0x7 | 1 << 0xe); // 0x7f, 0xef
    sets.add(1 << 5, 1 << 0x2, 1 << 0xc | 1 << 0xe); // 0xc2, 0xe2
    sets.add(1 << 6, 1 << 0x8, 1 << 0xd); // 0xd8
    sets
};

// `is_plain` is the definition: a byte missing from the sets would be written unescaped.
const _: () = {
    let mut byte = 0;
    while byte <= u8::MAX as usize {
        assert!((SETS.of_byte(byte as u8) == 0) == is_plain(byte as u8));
        byte += 1;
    }
};

/// Marks the position of a backslash in a shuffle.
const BACKSLASH: u8 = 1 << 7;

/// For each combination of escaped bytes among eight, the shuffle that moves them apart.
static SHUFFLES: [[u8; 16]; 256] = {
    let mut all = [[BACKSLASH; 16]; 256];
    let mut escaped = 0;
    while escaped < all.len() {
        let (mut to, mut from) = (0, 0);
        while from < 8 {
            to += escaped >> from & 1;
            all[escaped][to] = from as u8;
            to += 1;
            from += 1;
        }
        escaped += 1;
    }
    all
};

/// Encodes complete chunks, up to the first one with a byte that is neither plain nor escaped with a backslash. Returns
/// the number of bytes read and the length of the result.
#[target_feature(enable = "avx2,popcnt")]
pub(crate) fn escape<const LEN: usize>(text: &[u8], shown: &mut [u8; LEN]) -> (usize, usize) {
    let mut length = 0;
    let mut done = 0;
    for chunk in text.as_chunks().0 {
        let sets = SETS.of(load(chunk));
        if _mm256_testz_si256(sets, _mm256_set1_epi8(!ESCAPED.cast_signed())) == 0 {
            break;
        }
        let escaped = _mm256_movemask_epi8(_mm256_cmpgt_epi8(sets, _mm256_setzero_si256()));
        let eights: [i64; 4] = words(chunk);
        for (eight, escaped) in eights.into_iter().zip(escaped.to_le_bytes()) {
            let result = insert_backslashes(eight, escaped);
            let halves = [_mm_cvtsi128_si64(result), _mm_cvtsi128_si64(_mm_unpackhi_epi64(result, result))];
            shown[length..length + 8].copy_from_slice(&halves[0].to_le_bytes());
            shown[length + 8..length + 16].copy_from_slice(&halves[1].to_le_bytes());
            length += 8 + escaped.count_ones() as usize;
        }
        done += chunk.len();
    }
    (done, length)
}

/// Inserts a backslash before each escaped byte among eight.
#[target_feature(enable = "ssse3")]
#[inline]
fn insert_backslashes(eight: i64, escaped: u8) -> __m128i {
    let [low, high] = words(&SHUFFLES[usize::from(escaped)]);
    let shuffle = _mm_set_epi64x(high, low);
    let backslashes = _mm_and_si128(_mm_cmpgt_epi8(_mm_setzero_si128(), shuffle), _mm_set1_epi8(b'\\'.cast_signed()));
    _mm_or_si128(_mm_shuffle_epi8(_mm_set_epi64x(0, eight), shuffle), backslashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avx2;

    fn shown(text: &[u8]) -> (usize, Vec<u8>) {
        let mut shown = [0; 256];
        // SAFETY: callers check the target features first.
        #[expect(unsafe_code, reason = "the function under test requires AVX2")]
        let (done, length) = unsafe { escape(text, &mut shown) };
        (done, shown[..length].to_vec())
    }

    #[test]
    fn each_byte_is_copied_escaped_or_left_at_any_position() {
        if !avx2::is_available() {
            return;
        }
        for byte in 0..=u8::MAX {
            for at in 0..32 {
                let mut chunk = [b'p'; 64];
                chunk[32 + at] = byte;
                let expected = match byte {
                    b'"' | b'\\' => [&chunk[..32 + at], b"\\", &chunk[32 + at..]].concat(),
                    b'<' | 0x7f | 0xc2 | 0xd8 | 0xe2 | 0xef | ..b' ' => chunk[..32].to_vec(),
                    _ => chunk.to_vec(),
                };
                let done = if expected.len() == 32 { 32 } else { 64 };
                assert_eq!(shown(&chunk), (done, expected), "{byte:#x} at {at}");
            }
        }
        assert_eq!(shown(&[b'"'; 128]), (128, b"\\\"".repeat(128)));
        assert_eq!(shown(&[b'"'; 31]), (0, vec![]));
    }
}
