//! Which certificates of a receiver are believed: the roots of the system and the operator's own.

use std::fs;
use std::path::PathBuf;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::TlsError;

/// Reads all of it. A file of the operator's that has no certificate is an error where it was given.
pub(super) fn roots(files: &[PathBuf]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        // A container image that holds nothing but this program has no roots of its own.
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for path in files {
        let before = store.len();
        let wrong = |source: Box<dyn std::error::Error + Send + Sync>| TlsError::Authorities {
            path: path.clone(),
            source,
        };
        let pem = fs::read(path).map_err(|error| wrong(error.into()))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| wrong(error.to_string().into()))?;
            store.add(certificate).map_err(|error| wrong(error.into()))?;
        }
        if store.len() == before {
            return Err(wrong("there is no certificate in it".into()));
        }
    }
    Ok(store)
}
