//! The text of a panic's payload, which can be any value.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;

/// Shown for a payload of an unknown type.
const NO_TEXT: &str = "panic payload is not text";

/// The text of a payload: a text, a number, or the message of a boxed error.
pub(crate) fn text(payload: &(dyn Any + Send)) -> String {
    let texts: [fn(&(dyn Any + Send)) -> Option<String>; 21] = [
        displayed::<&str>,
        displayed::<String>,
        displayed::<Box<str>>,
        displayed::<Cow<'static, str>>,
        displayed::<i8>,
        displayed::<i16>,
        displayed::<i32>,
        displayed::<i64>,
        displayed::<i128>,
        displayed::<isize>,
        displayed::<u8>,
        displayed::<u16>,
        displayed::<u32>,
        displayed::<u64>,
        displayed::<u128>,
        displayed::<usize>,
        displayed::<f32>,
        displayed::<f64>,
        displayed::<bool>,
        displayed::<char>,
        |payload| error(payload).map(ToString::to_string),
    ];
    texts.iter().find_map(|text| text(payload)).unwrap_or_else(|| NO_TEXT.to_owned())
}

/// The boxed error that a payload is.
pub(crate) fn error(payload: &(dyn Any + Send)) -> Option<&(dyn Error + 'static)> {
    let shared = payload.downcast_ref::<Box<dyn Error + Send + Sync>>().map(|error| &**error as &(dyn Error + 'static));
    shared.or_else(|| payload.downcast_ref::<Box<dyn Error + Send>>().map(|error| &**error as &(dyn Error + 'static)))
}

fn displayed<T: ToString + 'static>(payload: &(dyn Any + Send)) -> Option<String> {
    payload.downcast_ref::<T>().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_numbers_and_boxed_errors_have_a_text() {
        struct Opaque;
        let error = || "x".parse::<u8>().expect_err("it is not a number");
        let payloads: [(Box<dyn Any + Send>, &str); 8] = [
            (Box::new("literal"), "literal"),
            (Box::new("formatted".to_owned()), "formatted"),
            (Box::new(Cow::Borrowed("borrowed")), "borrowed"),
            (Box::new(42), "42"),
            (Box::new(2.5), "2.5"),
            (Box::new(Box::<dyn Error + Send + Sync>::from(error())), "invalid digit found in string"),
            (Box::new(Box::new(error()) as Box<dyn Error + Send>), "invalid digit found in string"),
            (Box::new(Opaque), "panic payload is not text"),
        ];
        for (payload, expected) in payloads {
            assert_eq!(text(&*payload), expected);
        }
    }
}
