//! What the API document states of the program. A product states its own.

use utoipa::openapi::{ContactBuilder, LicenseBuilder, OpenApi};

pub(crate) fn complete(document: &mut OpenApi) {
    let license = env!("CARGO_PKG_LICENSE");
    let info = &mut document.info;
    info.title = "Users and orders".into();
    info.contact = Some(ContactBuilder::new().name(Some("The maintainers")).build());
    info.license = Some(LicenseBuilder::new().name(license).identifier(Some(license)).build());
}
