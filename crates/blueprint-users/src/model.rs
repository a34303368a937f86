//! JSON request and response bodies.

use cyanotype::auth::Role;
use cyanotype::conditional::ETag;
use cyanotype::{FieldError, fields, time};
use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::password::Password;
use crate::password_policy;
use crate::token::Token;

/// An e-mail address. Converted to lower case, because it identifies one user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Validate, ToSchema)]
#[schema(
    value_type = String,
    example = "ada@example.org",
    max_length = 254,
    pattern = "^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$"
)]
#[serde(from = "String")]
#[garde(transparent)]
pub(crate) struct Email(#[garde(email, length(chars, max = 254), custom(host_is_a_name))] String);

/// Rejects address literals such as `ada@[127.0.0.1]`, which are valid but useless for a registration.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde passes its context by reference")]
fn host_is_a_name(email: &str, (): &()) -> garde::Result {
    if email.contains('[') {
        Err(garde::Error::new("must have a host name after the @, not an IP address"))
    } else {
        Ok(())
    }
}

impl Email {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The field error for an address that another user has.
    pub(crate) fn taken() -> FieldError {
        FieldError { field: "email".into(), message: "is already in use".into() }
    }
}

impl From<String> for Email {
    fn from(text: String) -> Self {
        // Only ASCII addresses are valid.
        Self(text.to_ascii_lowercase())
    }
}

/// A new user.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    #[garde(dive)]
    pub email: Email,
    /// Must not be one of the most common passwords, the e-mail address, or the part of the address before the `@`, regardless
    /// of case. The NFKC form of the password is compared, and must have at least 8 characters, too.
    #[schema(
        value_type = String,
        format = "password",
        min_length = 8,
        max_length = 1024,
        example = "correct horse battery staple"
    )]
    #[garde(
        length(chars, min = 8, max = 1024),
        custom(password_policy::strength),
        custom(|password: &Password, _: &()| password_policy::not_the_address(password, self.email.as_str()))
    )]
    pub password: Password,
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\u0000]*$", example = "Ada Lovelace")]
    #[garde(length(chars, min = 1, max = 200), custom(fields::text))]
    pub name: String,
}

/// The e-mail address and password of a user.
// Without the validation of a registration: an invalid e-mail address or password is a failed login.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[garde(skip)]
    pub email: Email,
    #[schema(value_type = String, format = "password", max_length = 1024, example = "correct horse battery staple")]
    #[garde(length(chars, max = 1024))]
    pub password: Password,
}

/// The changes to a user. Omitted and null fields stay unchanged. A new e-mail address or password requires
/// `current_password`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[schema(as = UserChange)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\u0000]*$", example = "Ada King")]
    #[garde(length(chars, min = 1, max = 200), inner(custom(fields::text)))]
    pub name: Option<String>,
    #[garde(dive)]
    pub email: Option<Email>,
    /// The new password, with the rules of a registration. Ends all other sessions of the user.
    #[schema(
        value_type = Option<String>,
        format = "password",
        min_length = 8,
        max_length = 1024,
        example = "another horse, another staple"
    )]
    #[garde(length(chars, min = 8, max = 1024), inner(custom(password_policy::strength)))]
    pub password: Option<Password>,
    /// The current password; required with a new e-mail address or a new password.
    #[schema(value_type = Option<String>, format = "password", max_length = 1024, example = "correct horse battery staple")]
    #[garde(length(chars, max = 1024))]
    pub current_password: Option<Password>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct User {
    #[schema(example = "01890a5d-9c1e-7b6a-8f00-2f1d3c4b5a69")]
    pub id: Uuid,
    #[schema(example = "ada@example.org")]
    pub email: String,
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    /// The role, which only the operator can change.
    pub role: Role,
    #[schema(value_type = String, format = "date-time", example = "2026-11-26T09:30:00.123456Z")]
    #[serde(serialize_with = "time::serialize")]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = "date-time", example = "2026-11-26T09:31:00.123456Z")]
    #[serde(serialize_with = "time::serialize")]
    pub updated_at: Timestamp,
    /// Incremented by each update; part of the entity tag.
    #[serde(skip)]
    pub version: i64,
}

cyanotype::from_row!(User { id, email, name, role: String, created_at, updated_at, version });

impl User {
    pub(crate) fn etag(&self) -> ETag {
        ETag::of(self.id, self.version)
    }
}

/// A session, with its bearer token.
// The only response that contains a token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// Bearer token, to be sent in the header `authorization: Bearer TOKEN`.
    #[schema(
        value_type = String,
        example = "c0535e4be2b79ffd93291305436bf889314e4a3faec05ecffcbb7df31ad9e51a"
    )]
    pub token: Token,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    #[schema(value_type = String, format = "date-time", example = "2026-12-26T09:30:00Z")]
    #[serde(serialize_with = "time::serialize")]
    pub expires_at: Timestamp,
    #[schema(example = "01890a5d-9c1e-7b6a-8f00-2f1d3c4b5a69")]
    pub user_id: Uuid,
}

/// A session, without its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct SessionItem {
    #[schema(example = "01890a5d-ac96-774b-bcce-b302099a8057")]
    pub id: Uuid,
    /// The `user-agent` header of the login, cut to 200 characters.
    #[schema(required, example = "curl/8.5.0")]
    pub user_agent: Option<String>,
    #[schema(value_type = String, format = "date-time", example = "2026-11-26T09:30:00.123456Z")]
    #[serde(serialize_with = "time::serialize")]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = "date-time", example = "2026-12-26T09:30:00.123456Z")]
    #[serde(serialize_with = "time::serialize")]
    pub expires_at: Timestamp,
    /// Whether this is the session of the request.
    #[schema(example = true)]
    pub is_current: bool,
}

cyanotype::from_row!(SessionItem { id, user_agent, created_at, expires_at, is_current });

/// The sessions of a user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sessions {
    pub items: Vec<SessionItem>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid_fields(body: &str) -> Vec<String> {
        let registration: Registration = serde_json::from_str(body).unwrap();
        let report = registration.validate().err().unwrap_or_else(garde::Report::new);
        report.iter().map(|(path, _)| path.to_string()).collect()
    }

    #[test]
    fn each_invalid_field_is_named() {
        assert!(invalid_fields(r#"{"email":"a@example.org","password":"correct horse","name":"A"}"#).is_empty());
        assert_eq!(
            invalid_fields(r#"{"email":"nobody","password":"1234567","name":""}"#),
            ["email", "name", "password"]
        );
        assert_eq!(
            invalid_fields(r#"{"email":"a\u0000@example.org","password":"correct horse","name":"\u0000"}"#),
            ["email", "name"]
        );
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let name = "é".repeat(200);
        assert!(
            invalid_fields(&format!(r#"{{"email":"a@example.org","password":"éééééééé","name":"{name}"}}"#)).is_empty()
        );
        assert_eq!(invalid_fields(r#"{"email":"a@example.org","password":"ééééééé","name":"A"}"#), ["password"]);
    }

    #[test]
    fn a_guessable_password_is_rejected() {
        for password in ["password1", "ADA.lovelace@example.org", "ada.lovelace"] {
            let body = format!(r#"{{"email":"Ada.Lovelace@example.org","password":"{password}","name":"A"}}"#);
            assert_eq!(invalid_fields(&body), ["password"]);
        }
    }

    #[test]
    fn an_address_is_converted_to_lower_case() {
        let email: Email = serde_json::from_str(r#""Ada@Example.ORG""#).unwrap();
        assert_eq!(email.as_str(), "ada@example.org");
    }
}
