//! Whose certificates are believed: the roots of the system, those that are built in, and a file of the operator's.

use std::fs;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::sync::OnceCell;
use wasmcloud_capability::ProviderError;

use super::settings::{Trust, invalid};

/// TLS sessions that a link remembers to resume, one per host in the usual case.
const SESSIONS: usize = 64;

/// The roots that a provider believes. The operator's file is read at once, so that a mistake in it is an error where
/// it was made; the system's roots with the first TLS connection, because reading them takes longer than everything
/// else at the start of a host that may never need them.
pub(crate) struct Roots {
    trust: Trust,
    own: Vec<CertificateDer<'static>>,
    store: OnceCell<Arc<RootCertStore>>,
}

impl Roots {
    pub(crate) fn new(trust: Trust) -> Result<Arc<Self>, ProviderError> {
        let mut own = Vec::new();
        if let Some(path) = &trust.file {
            let wrong = |reason: &dyn std::fmt::Display| {
                invalid("ssl_certs_file", format!("{}: {reason}", path.display()))
            };
            let pem = fs::read(path).map_err(|error| wrong(&error))?;
            own = CertificateDer::pem_slice_iter(&pem)
                .collect::<Result<_, _>>()
                .map_err(|error| wrong(&error))?;
            if own.is_empty() {
                return Err(wrong(&"there is no certificate in it"));
            }
            let mut probe = RootCertStore::empty();
            for certificate in &own {
                probe.add(certificate.clone()).map_err(|error| wrong(&error))?;
            }
        }
        Ok(Arc::new(Self {
            trust,
            own,
            store: OnceCell::new(),
        }))
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    async fn store(self: &Arc<Self>) -> Result<Arc<RootCertStore>, String> {
        let store = self.store.get_or_try_init(|| async {
            let roots = Arc::clone(self);
            tokio::task::spawn_blocking(move || Arc::new(roots.load()))
                .await
                .map_err(|error| error.to_string())
        });
        store.await.map(Arc::clone)
    }

    fn load(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(self.own.iter().cloned());
        if self.trust.webpki {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        if self.trust.native {
            let found = rustls_native_certs::load_native_certs();
            // One unreadable file of many is usual on some systems and no reason to believe nobody.
            for error in &found.errors {
                tracing::debug!(%error, "a root certificate of the system was not read");
            }
            store.add_parsable_certificates(found.certs);
        }
        if store.is_empty() {
            tracing::warn!(
                "no root certificates, so no HTTPS server will be believed; hint: set `ssl_certs_file`, \
                 `load_native_certs` or `load_webpki_certs` for the HTTP client"
            );
        }
        store
    }

    /// The TLS settings of one link. Sessions are not shared between links: a resumed session tells a server that two
    /// requests come from the same place.
    pub(crate) async fn client(self: &Arc<Self>) -> Result<Arc<ClientConfig>, String> {
        let store = self.store().await?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Arc::new(config))
    }
}
