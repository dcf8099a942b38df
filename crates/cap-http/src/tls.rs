//! Certificates from PEM files, read again when the files change, so that a renewed certificate needs no restart.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use wasmcloud_capability::ProviderError;

use crate::settings::TlsFiles;

/// How often the files are looked at, at most; a new certificate is in use this much later.
const RECHECK: Duration = Duration::from_secs(1);

/// An acceptor for these files. Fails if they cannot be used now; later changes that cannot be used are logged and the
/// last good certificate stays.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ProviderError> {
    let resolver = Reloading::new(files.clone())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| ProviderError::Failed {
            what: "set up TLS".to_owned(),
            source: source.into(),
        })?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[derive(Debug)]
struct Reloading {
    files: TlsFiles,
    state: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    key: Arc<CertifiedKey>,
    modified: Option<(SystemTime, SystemTime)>,
    checked: Instant,
}

impl Reloading {
    fn new(files: TlsFiles) -> Result<Self, ProviderError> {
        let modified = modified(&files);
        let key = load(&files)?;
        let state = Mutex::new(Loaded {
            key,
            modified,
            checked: Instant::now(),
        });
        Ok(Self { files, state })
    }
}

impl ResolvesServerCert for Reloading {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut state = self.state.lock();
        if state.checked.elapsed() >= RECHECK {
            state.checked = Instant::now();
            // Two small files, at most once a second: reading them here is cheaper than a watcher.
            let now = modified(&self.files);
            if now != state.modified {
                state.modified = now;
                match load(&self.files) {
                    Ok(key) => {
                        tracing::info!(file = %self.files.cert.display(), "certificate reloaded");
                        state.key = key;
                    }
                    Err(error) => {
                        tracing::error!(%error, "certificate not reloaded, the last good one stays")
                    }
                }
            }
        }
        Some(Arc::clone(&state.key))
    }
}

fn modified(files: &TlsFiles) -> Option<(SystemTime, SystemTime)> {
    let at = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    Some((at(&files.cert)?, at(&files.key)?))
}

fn load(files: &TlsFiles) -> Result<Arc<CertifiedKey>, ProviderError> {
    let read = |key: &str, path: &Path| {
        fs::read(path).map_err(|error| ProviderError::Config {
            key: key.to_owned(),
            reason: format!("read {}: {error}", path.display()),
        })
    };
    let wrong = |key: &str, path: &Path, reason: &dyn std::fmt::Display| ProviderError::Config {
        key: key.to_owned(),
        reason: format!("{}: {reason}", path.display()),
    };
    let pem = read("tls_cert_file", &files.cert)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong("tls_cert_file", &files.cert, &error))?;
    if chain.is_empty() {
        return Err(wrong(
            "tls_cert_file",
            &files.cert,
            &"there is no certificate in it",
        ));
    }
    let pem = read("tls_priv_key_file", &files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| wrong("tls_priv_key_file", &files.key, &error))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map(Arc::new)
        .map_err(|error| wrong("tls_priv_key_file", &files.key, &io::Error::other(error)))
}
