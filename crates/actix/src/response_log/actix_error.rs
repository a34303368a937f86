//! The failure behind an `actix_web::Error`, which hides the sources of the error in it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use actix_web::error::{
    BlockingError, ContentTypeError, HttpError, JsonPayloadError, ParseError, PathError, PayloadError,
    QueryPayloadError, ReadlinesError, UrlGenerationError, UrlencodedError,
};
use actix_web::{Error, ResponseError};
use cyanotype_telemetry::error_name;
use cyanotype_telemetry::failure::Failure;

use crate::block::BlockError;

/// Returns the failure if the error is of one type.
type OfType = fn(&Error) -> Option<Failure>;

/// The types of actix-web, and those of libraries that are response errors.
const OWN_TYPES: [OfType; 16] = [
    of_type::<BlockError>,
    of_type::<JsonPayloadError>,
    of_type::<PayloadError>,
    of_type::<UrlencodedError>,
    of_type::<PathError>,
    of_type::<QueryPayloadError>,
    of_type::<ReadlinesError>,
    of_type::<UrlGenerationError>,
    of_type::<BlockingError>,
    of_type::<ContentTypeError>,
    of_type::<ParseError>,
    of_type::<HttpError>,
    of_type::<std::io::Error>,
    of_type::<std::str::Utf8Error>,
    of_type::<serde_json::Error>,
    |error| error.as_error::<Box<dyn StdError>>().map(|boxed| Failure::new(&**boxed, None)),
];

/// The types that the program has registered. They are those of the whole process, because a type has the same sources in each
/// service.
static REGISTERED_TYPES: RwLock<Vec<OfType>> = RwLock::new(Vec::new());

/// Registers a type of response errors: failures with such an error are reported with its type and its sources.
pub fn register_error_type<T: ResponseError + StdError + 'static>() {
    REGISTERED_TYPES.write().unwrap_or_else(PoisonError::into_inner).push(of_type::<T>);
}

fn of_type<T: ResponseError + StdError + 'static>(error: &Error) -> Option<Failure> {
    let error = error.as_error::<T>()?;
    Some(Failure::new(error, None).with_type(error_name::of_type::<T>().as_deref()))
}

/// The failure behind an error. It has no stack, because the error occurred before actix returned it. Of an error of another type
/// only the texts are available.
#[must_use]
pub fn failure_of(error: &Error) -> Failure {
    let registered = REGISTERED_TYPES.read().unwrap_or_else(PoisonError::into_inner);
    let mut types = OWN_TYPES.iter().chain(&*registered);
    types.find_map(|of_type| of_type(error)).unwrap_or_else(|| Failure::new(&Opaque::of(error), None))
}

/// The texts of an error of unknown type.
#[derive(thiserror::Error)]
#[error("{display}")]
struct Opaque {
    display: String,
    debug: String,
}

impl Opaque {
    fn of(error: &Error) -> Self {
        Self { display: error.to_string(), debug: format!("{error:?}") }
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.debug)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::error::ErrorInternalServerError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no stock")]
    struct NoStock(#[source] std::num::ParseIntError);
    impl ResponseError for NoStock {}

    #[derive(Debug, thiserror::Error)]
    #[error("no delivery")]
    struct NoDelivery(#[source] NoStock);
    impl ResponseError for NoDelivery {}

    fn no_stock() -> NoStock {
        NoStock("x".parse::<u8>().expect_err("it is no number"))
    }

    fn types_and_messages(error: impl Into<Error>) -> Vec<(String, String)> {
        let failure = failure_of(&error.into());
        assert!(failure.stack.is_none());
        failure.chain.into_iter().map(|link| (link.type_name, link.message)).collect()
    }

    fn pairs(links: &[(&str, &str)]) -> Vec<(String, String)> {
        links.iter().map(|(name, message)| ((*name).to_owned(), (*message).to_owned())).collect()
    }

    #[test]
    fn errors_of_actix_have_their_sources() {
        let json = serde_json::from_str::<u8>("x").expect_err("it is no number");
        let text = json.to_string();
        let links = types_and_messages(JsonPayloadError::Serialize(json));
        assert_eq!(
            links,
            pairs(&[("JsonPayloadError", &format!("Json serialize error: {text}")), ("serde_json::Error", &text)])
        );
        let boxed: Box<dyn StdError> = Box::new(no_stock());
        assert_eq!(
            types_and_messages(boxed),
            pairs(&[("NoStock", "no stock"), ("ParseIntError", "invalid digit found in string")])
        );
    }

    #[test]
    fn a_registered_type_has_its_sources() {
        let error = || NoDelivery(no_stock());
        assert_eq!(types_and_messages(error()), pairs(&[("NoDelivery", "no delivery")]));
        register_error_type::<NoDelivery>();
        let links = types_and_messages(error());
        let expected = [
            ("NoDelivery", "no delivery"),
            ("NoStock", "no stock"),
            ("ParseIntError", "invalid digit found in string"),
        ];
        assert_eq!(links, pairs(&expected));
    }

    #[test]
    fn an_error_of_another_type_has_the_name_in_its_debug_text() {
        assert_eq!(types_and_messages(no_stock()), pairs(&[("NoStock", "no stock")]));
        assert_eq!(types_and_messages(ErrorInternalServerError(no_stock())), pairs(&[("NoStock", "no stock")]));
        assert_eq!(types_and_messages(ErrorInternalServerError("out of stock")), pairs(&[("Error", "out of stock")]));
    }
}
