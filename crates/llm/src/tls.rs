//! Whom to trust behind `https`: one answer for every client of the product.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, Error, RootCertStore};

/// TLS with ring, with the web's certificate authorities, which are in the binary, and those that this machine trusts besides: a
/// container has no file of either, and a company may have an authority of its own.
///
/// # Errors
/// When ring has no version of TLS in common with rustls, which it has.
pub fn tls_config() -> Result<ClientConfig, Error> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        // What cannot be read or is no certificate is nobody to trust.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth())
}
