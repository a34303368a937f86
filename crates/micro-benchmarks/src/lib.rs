//! Response bodies for the benchmarks.

#![forbid(unsafe_code)]

/// The order of `cargo xtask bench`.
const ORDER: &str = include_str!("../../bench/bodies/order.json");

/// A list of orders of at least this many bytes, without secrets.
pub fn clean(bytes: usize) -> String {
    list(bytes, |n| {
        format!(
            r#"{{"id":"01a20497-2e54-7036-97b5-{n:012}","status":"placed","lines":[{{"sku":"A-1","quantity":2,"unit_price_cents":1250}}],"total_cents":2500,"created_at":"2026-11-22T18:49:06.388200Z"}}"#
        )
    })
}

/// A list of realistic orders: some words contain a sensitive key or start like one.
pub fn order(bytes: usize) -> String {
    list(bytes, |n| ORDER.replace("a1c884441021", &format!("{n:012}")))
}

/// A list of parcels with more such words.
pub fn parcel(bytes: usize) -> String {
    list(bytes, |n| {
        format!(
            r#"{{"id":{n},"shipping":{{"name":"Anna Özil","street":"12 Mapping Lane","city":"Springfield","country":"DE"}},"description":"Cotton paper, in the opinion of its author the best for printing","account":"C-1041","tokens_used":12,"card":"none","weight_grams":850,"picked_up":true}}"#
        )
    })
}

/// A list of accounts with every kind of secret.
pub fn secret(bytes: usize) -> String {
    list(bytes, |n| {
        format!(
            r#"{{"id":{n},"email":"user{n}@example.org","password":"correct horse","card":"4111 1111 1111 1111","session":{{"token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl"}},"note":"Authorization: Bearer abcdef{n}"}}"#
        )
    })
}

fn list(bytes: usize, item: impl Fn(usize) -> String) -> String {
    let mut text = item(0);
    for n in 1.. {
        if text.len() >= bytes {
            break;
        }
        text.push(',');
        text.push_str(&item(n));
    }
    format!("[{text}]")
}
