//! The TLS configuration of every client of the product.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, Error, RootCertStore};

/// TLS with ring. Trusts the web's certificate authorities, which are in the binary because a container has no file
/// of them, and those of this machine, such as a company's own.
///
/// # Errors
/// If ring and rustls share no version of TLS, which they do.
pub fn tls_config() -> Result<ClientConfig, Error> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        // Unreadable certificates are ignored.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth())
}
