//! Whose certificates are believed: the roots of the system and the operator's own.

use std::error::Error as StdError;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::error::{BoxError, OptionsError};

/// The operator's certificate authorities, read at once so that a mistake is an error where it was made.
#[derive(Clone)]
pub(crate) struct Roots(Vec<CertificateDer<'static>>);

impl Roots {
    pub(crate) fn read<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<Self, OptionsError> {
        let mut own = Vec::new();
        for path in files {
            let wrong = |source: BoxError| OptionsError::Authorities {
                path: path.clone(),
                source,
            };
            let pem = fs::read(path).map_err(|error| wrong(error.into()))?;
            let mut probe = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| wrong(error.to_string().into()))?;
                probe
                    .add(certificate.clone())
                    .map_err(|error| wrong(error.into()))?;
                own.push(certificate);
            }
            if probe.is_empty() {
                return Err(wrong("there is no certificate in it".into()));
            }
        }
        Ok(Self(own))
    }

    /// TLS settings that believe these and the system's. Reads files, so it runs on a blocking thread.
    pub(crate) async fn config(&self) -> Result<ClientConfig, BoxError> {
        let own = self.0.clone();
        let store = tokio::task::spawn_blocking(move || load(own)).await?;
        Ok(
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(store)
                .with_no_client_auth(),
        )
    }
}

fn load(own: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // One unreadable file of many is usual on some systems and no reason to believe nobody.
    for error in &found.errors {
        tracing::debug!(%error, "a root certificate of the system was not read");
    }
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        // A container image that holds nothing but this program has no roots of its own.
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store.add_parsable_certificates(own);
    store
}

/// What helps against a failed connection, with `; hint: ` in front, or nothing. What has a hint is a matter of
/// settings and does not pass by itself.
pub(crate) fn hint(error: &(dyn StdError + 'static)) -> &'static str {
    match tls_error(error) {
        Some(rustls::Error::InvalidMessage(_)) => {
            "; hint: this does not look like TLS; if the registry speaks plain HTTP, allow it with --allowed-insecure"
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => "; hint: if the registry has a private certificate authority, name its file with --tls-ca-path",
        Some(rustls::Error::InvalidCertificate(_)) => {
            "; hint: look at the certificate of the registry, and at this clock"
        }
        _ => "",
    }
}

fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>() {
            // An IO error names the cause of what it wraps as its own, and skips what it wraps.
            Some(io) => io.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    None
}
