//! The TLS configuration of every client of the product.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, Error, RootCertStore};

/// The certificate authorities that are trusted.
#[derive(Debug, Clone, Default)]
pub struct Authorities {
    /// Of the web, in the program.
    pub built_in: usize,
    /// Of this machine, or of SSL_CERT_FILE and SSL_CERT_DIR if one of them is set.
    pub machine: usize,
    /// Files that cannot be read, with the reason.
    pub problems: Vec<String>,
}

struct Roots {
    store: Arc<RootCertStore>,
    authorities: Authorities,
}

/// TLS with ring. Trusts the web's certificate authorities, which are in the binary because a container has no file
/// of them, and those of this machine, such as a company's own.
///
/// # Errors
/// If ring and rustls share no version of TLS, which they do.
pub fn tls_config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(&roots().store))
        .with_no_client_auth())
}

/// The authorities of [`tls_config`].
pub fn authorities() -> &'static Authorities {
    &roots().authorities
}

/// Read once, from the files of the machine.
fn roots() -> &'static Roots {
    static ROOTS: OnceLock<Roots> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let built_in = store.len();
        // What cannot be used is left out; `doctor` reports it.
        let found = rustls_native_certs::load_native_certs();
        let (machine, unusable) = store.add_parsable_certificates(found.certs);
        let mut problems: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        if machine == 0 && unusable > 0 {
            problems.push("no certificate can be used".to_owned());
        }
        Roots { store: Arc::new(store), authorities: Authorities { built_in, machine, problems } }
    })
}
