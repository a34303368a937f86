//! Response bodies that the benchmarks run on.

#![forbid(unsafe_code)]

/// What the service is measured with as a whole.
const ORDER: &str = include_str!("../../bench/bodies/order.json");

/// A list of orders of at least so many bytes, with nothing to hide in it.
pub fn clean(bytes: usize) -> String {
    list(bytes, |n| {
        format!(
            r#"{{"id":"01a20497-2e54-7036-97b5-{n:012}","status":"placed","lines":[{{"sku":"A-1","quantity":2,"unit_price_cents":1250}}],"total_cents":2500,"created_at":"2026-11-22T18:49:06.388200Z"}}"#
        )
    })
}

/// An order as a service has it: the words in it begin like sensitive keys, hold them, and are the first of their words.
pub fn order(bytes: usize) -> String {
    list(bytes, |n| ORDER.replace("a1c884441021", &format!("{n:012}")))
}

/// A parcel, whose words do so more often.
pub fn parcel(bytes: usize) -> String {
    list(bytes, |n| {
        format!(
            r#"{{"id":{n},"shipping":{{"name":"Anna Özil","street":"12 Mapping Lane","city":"Springfield","country":"DE"}},"description":"Cotton paper, in the opinion of its author the best for printing","account":"C-1041","tokens_used":12,"card":"none","weight_grams":850,"picked_up":true}}"#
        )
    })
}

/// A list of accounts, with secrets of every sort.
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
