use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::level::Level;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const EXPIRES: i64 = 1_767_225_600;

fn key() -> DebugKey {
    DebugKey::new(SECRET).expect("it is long enough")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn route_grant() -> DebugGrant {
    DebugGrant::for_route("GET /orders/{id}", Level::Debug, at(EXPIRES)).expect("a route")
}

fn trace_grant() -> DebugGrant {
    let trace = Uuid::from_u128(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    DebugGrant::for_trace(trace, Level::Trace, at(EXPIRES))
}

fn verify(token: impl AsRef<[u8]>) -> Result<DebugGrant, TokenError> {
    key().verify(token, at(EXPIRES - 1))
}

/// Processes of different releases accept each other's tokens. The expected values were computed with Python's `hmac`.
#[test]
fn the_format_is_stable() {
    assert_eq!(
        key().issue(&route_grant()),
        "v1.ZGVidWcgMTc2NzIyNTYwMCByb3V0ZSBHRVQgL29yZGVycy97aWR9.OBEG5_1Pn0abds7KjJE8bHP5q2dLW4-xwBUNLisqXzk"
    );
    assert_eq!(
        key().issue(&trace_grant()),
        "v1.dHJhY2UgMTc2NzIyNTYwMCB0cmFjZSAwYWY3NjUxOTE2Y2Q0M2RkODQ0OGViMjExYzgwMzE5Yw.V4yyNR69BYbYmc7LG8qKes0jekwXckpcd3eC5-Qt1i0"
    );
}

#[test]
fn a_token_expires() {
    let token = key().issue(&route_grant());
    let just_before = at(EXPIRES) - jiff::SignedDuration::from_nanos(1);
    assert_eq!(key().verify(&token, just_before), Ok(route_grant()));
    assert_eq!(key().verify(&token, at(EXPIRES)), Err(TokenError::Expired));
    assert_eq!(key().verify(&token, Timestamp::MAX), Err(TokenError::Expired));
}

#[test]
fn fractional_seconds_are_truncated() {
    let expires_at = at(EXPIRES) + jiff::SignedDuration::from_millis(999);
    let grant = DebugGrant::for_route("GET /orders/{id}", Level::Debug, expires_at);
    assert_eq!(grant, Ok(route_grant()));
}

#[test]
fn another_key_is_refused() {
    let token = DebugKey::new(&SECRET.replace('0', "1")).expect("it is long enough").issue(&route_grant());
    assert_eq!(verify(token), Err(TokenError::Forged));
}

#[test]
fn a_mac_without_the_domain_is_refused() {
    let token = key().issue(&route_grant());
    let (signed, _) = token.rsplit_once('.').expect("it has a MAC");
    let plain = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    let mac = BASE64.encode(plain.chain_update(signed).finalize().into_bytes());
    assert_eq!(verify(format!("{signed}.{mac}")), Err(TokenError::Forged));
}

#[test]
fn every_changed_byte_is_refused() {
    for token in [key().issue(&route_grant()), key().issue(&trace_grant())] {
        assert!(verify(&token).is_ok());
        for position in 0..token.len() {
            for byte in (0..=u8::MAX).filter(|byte| *byte != token.as_bytes()[position]) {
                let mut changed = token.clone().into_bytes();
                changed[position] = byte;
                assert!(verify(&changed).is_err(), "{}", String::from_utf8_lossy(&changed));
            }
        }
    }
}

#[test]
fn every_missing_or_extra_byte_is_refused() {
    for token in [key().issue(&route_grant()), key().issue(&trace_grant())] {
        for position in 0..token.len() {
            let (head, tail) = token.split_at(position);
            assert!(verify(head).is_err(), "{head}");
            assert!(verify(&token[position + 1..]).is_err(), "{tail}");
            assert!(verify(format!("{head}{}", &tail[1..])).is_err(), "without byte {position}");
        }
        for position in 0..=token.len() {
            for byte in 0..=u8::MAX {
                let mut longer = token.clone().into_bytes();
                longer.insert(position, byte);
                assert!(verify(&longer).is_err(), "{}", String::from_utf8_lossy(&longer));
            }
        }
    }
}

#[test]
fn other_encodings_are_refused() {
    let token = key().issue(&route_grant());
    let (signed, mac) = token.rsplit_once('.').expect("it has a MAC");
    let payload = signed.strip_prefix(VERSION).expect("it has a version");
    for other in [
        String::new(),
        "v1..".into(),
        "v1.".into(),
        format!("v1.{payload}."),
        format!("v1..{mac}"),
        format!("v1.{payload}.{mac}="),
        format!("v1.{payload}=.{mac}"),
        format!("v1.{payload}.{mac}."),
        format!("v2.{payload}.{mac}"),
        format!("V1.{payload}.{mac}"),
        format!("{payload}.{mac}"),
        format!("v1%2E{payload}%2E{mac}"),
        format!("Bearer {token}"),
        format!("\"{token}\""),
        format!("{token}, {token}"),
        token.to_uppercase(),
        token.to_lowercase(),
    ] {
        assert!(verify(&other).is_err(), "{other}");
    }
}

#[test]
fn a_signed_payload_is_still_checked() {
    for payload in ["", "debug", "debug 01767225600 route GET /", "debug 1767225600 route GET orders"] {
        assert_eq!(verify(key().sign(payload)), Err(TokenError::Malformed), "{payload}");
    }
}

#[test]
fn the_longest_token_is_accepted_and_longer_ones_are_refused() {
    let route = format!("GET /{}", "x".repeat(DebugGrant::MAX_ROUTE_BYTES - 5));
    let longest = DebugGrant::for_route(&route, Level::Critical, Timestamp::MAX).expect("a route");
    let token = key().issue(&longest);
    assert!(token.len() <= DebugKey::MAX_TOKEN_BYTES, "{}", token.len());
    assert_eq!(verify(&token), Ok(longest));
    // With a wrong MAC, so that the error shows whether the MAC was computed.
    let of_length = |length: usize| {
        let mac = "A".repeat(43);
        format!("{VERSION}{}.{mac}", "A".repeat(length - VERSION.len() - 1 - mac.len()))
    };
    assert_eq!(verify(of_length(DebugKey::MAX_TOKEN_BYTES)), Err(TokenError::Forged));
    assert_eq!(verify(of_length(DebugKey::MAX_TOKEN_BYTES + 1)), Err(TokenError::Malformed));
}

#[test]
fn a_short_key_is_rejected_and_debug_output_is_redacted() {
    let error = DebugKey::new(&SECRET[..15]).expect_err("it is too short");
    assert_eq!(error.to_string(), "debug key too short: 15 bytes, minimum 16");
    assert_eq!(format!("{:?}", key()), "DebugKey([redacted])");
}

fn grants() -> impl Strategy<Value = DebugGrant> {
    let levels = || prop::sample::select(Level::ALL.to_vec());
    let times = || (EXPIRES..253_402_207_200).prop_map(at);
    let traces = any::<u128>().prop_map(Uuid::from_u128);
    let routes = "[A-Z]{1,10} /([!-~]|[äßé漢]){0,90}";
    prop_oneof![
        (routes, levels(), times())
            .prop_map(|(route, level, at)| DebugGrant::for_route(&route, level, at).expect("a route")),
        (traces, levels(), times()).prop_map(|(trace, level, at)| DebugGrant::for_trace(trace, level, at)),
    ]
}

proptest! {
    #[test]
    fn issued_tokens_verify(grant in grants()) {
        let token = key().issue(&grant);
        prop_assert!(token.bytes().all(|byte| byte.is_ascii_graphic()), "{}", token);
        prop_assert!(token.len() <= DebugKey::MAX_TOKEN_BYTES);
        prop_assert_eq!(key().verify(&token, at(EXPIRES - 1)), Ok(grant.clone()));
        prop_assert_eq!(key().verify(&token, grant.expires_at()), Err(TokenError::Expired));
    }

    #[test]
    fn an_edited_token_is_refused(
        grant in grants(), from in any::<prop::sample::Index>(), length in 0usize..4, put in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let token = key().issue(&grant).into_bytes();
        let from = from.index(token.len() + 1);
        let mut edited = token.clone();
        edited.splice(from..(from + length).min(token.len()), put);
        prop_assume!(edited != token);
        prop_assert!(verify(&edited).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(verify(&bytes).is_err());
    }

    #[test]
    fn parts_of_two_tokens_do_not_combine(one in grants(), other in grants()) {
        prop_assume!(one != other);
        let (one, other) = (key().issue(&one), key().issue(&other));
        let (signed, _) = one.rsplit_once('.').expect("it has a MAC");
        let (_, mac) = other.rsplit_once('.').expect("it has a MAC");
        prop_assert_eq!(verify(format!("{signed}.{mac}")), Err(TokenError::Forged));
    }
}
