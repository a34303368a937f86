//! What the redactor hides in a text, and why: for commands and tests. The redactor of the settings is
//! [`LogSettings::redactor`](crate::settings::LogSettings::redactor).

pub use cyanotype_actix::content_type::syntax as syntax_of_content_type;
pub use cyanotype_redact::{Finding, Redactor, Rule, Syntax};
