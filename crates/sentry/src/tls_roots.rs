//! The certificate authorities that Sentry's certificate may be signed by.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use ureq::tls::{Certificate, RootCerts};

/// The authorities, and why some could not be read.
pub(crate) struct Roots {
    pub certificates: RootCerts,
    pub problems: Vec<String>,
}

/// The system's authorities, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, and those of a file (`sentry.ca_file`). On a
/// system that has none, as in an empty container, Mozilla's.
pub(crate) fn load(ca_file: Option<&Path>) -> Roots {
    let loaded = rustls_native_certs::load_native_certs();
    let mut problems: Vec<_> = loaded.errors.iter().map(|error| error.to_string()).collect();
    let mut all = loaded.certs;
    let has_variable = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    if let Some(path) = ca_file {
        // Settings have been checked, but the file may have changed since.
        match CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(own) => all.extend(own),
            Err(error) => problems.push(format!("sentry.ca_file {}: {error}", path.display())),
        }
    }
    if all.is_empty() && !has_variable {
        return Roots { certificates: RootCerts::WebPki, problems: Vec::new() };
    }
    let certificates: Vec<_> = all.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Roots { certificates: RootCerts::from(certificates), problems }
}
