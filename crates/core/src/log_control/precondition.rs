//! `If-Match`: the policy version that a change expects.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::IF_MATCH;

use crate::handler::problem::{Problem, Result};

/// The version in `If-Match`: `"17"`, or 17 without quotes. `None` without the header, and for `*`.
///
/// # Errors
/// 412 for a value that is not a version, and so cannot match.
pub(super) fn expected_version(request: &HttpRequest) -> Result<Option<u64>> {
    let Some(given) = request.headers().get(IF_MATCH) else { return Ok(None) };
    let text = given.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let unquoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let is_number = !unquoted.is_empty() && unquoted.bytes().all(|byte| byte.is_ascii_digit());
    match unquoted.parse() {
        Ok(version) if is_number => Ok(Some(version)),
        _ => {
            let detail =
                "`if-match` is not a version; send the `version` from GET /log in double quotes, such as \"17\", or *";
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::test::TestRequest;

    use super::*;

    fn of(value: &str) -> Result<Option<u64>, u16> {
        let request = TestRequest::default().insert_header((IF_MATCH, value)).to_http_request();
        expected_version(&request).map_err(|problem| problem.status_code().as_u16())
    }

    #[test]
    fn a_version_is_a_number_with_or_without_quotes() {
        assert_eq!([of("\"17\""), of("17"), of("*")], [Ok(Some(17)), Ok(Some(17)), Ok(None)]);
        assert!(expected_version(&TestRequest::default().to_http_request()).is_ok_and(|version| version.is_none()));
        for other in ["", "\"\"", "W/\"17\"", "\"17", "17, 18", "+17", "-1", "99999999999999999999999"] {
            assert_eq!(of(other), Err(412), "{other}");
        }
    }
}
