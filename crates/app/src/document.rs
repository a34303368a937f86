//! The program's own part of the OpenAPI document: title, contact and license. Replace them with your product's.

use utoipa::openapi::{ContactBuilder, LicenseBuilder, OpenApi};

pub(crate) fn complete(document: &mut OpenApi) {
    let license = env!("CARGO_PKG_LICENSE");
    let info = &mut document.info;
    info.title = "Users and orders".into();
    info.contact = Some(ContactBuilder::new().name(Some("The maintainers")).build());
    info.license = Some(LicenseBuilder::new().name(license).identifier(Some(license)).build());
}
