//! Why an encrypted connection to PostgreSQL failed, and what to change. Reads certificates, and no other secrets than
//! the key of the client, whose contents are not shown.

use std::fs;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, Error};

/// Checks a file that a parameter of the database URL names. Other parameters are fine.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn check_file(parameter: &str, path: &str) -> Result<(), String> {
    if !["sslrootcert", "sslcert", "sslkey"].contains(&parameter) {
        return Ok(());
    }
    let bytes = fs::read(path).map_err(|error| {
        format!(
            "The file {path} (parameter {parameter} of the database URL) cannot be read: {error}; check the path and \
             its permissions."
        )
    })?;
    let (what, usable) = match parameter {
        "sslkey" => ("private key", PrivateKeyDer::from_pem_slice(&bytes).is_ok()),
        _ => {
            let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
            ("certificate", all.is_ok_and(|all| !all.is_empty()))
        }
    };
    match usable {
        true => Ok(()),
        false => Err(format!(
            "The file {path} (parameter {parameter} of the database URL) contains no {what} in PEM format; it must \
             begin with -----BEGIN, and a key must not be encrypted."
        )),
    }
}

/// A sentence that says what failed, and one that says what to do; `None` if the failure is not one of TLS.
pub(crate) fn explain(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Io(error) => error.get_ref()?.downcast_ref::<Error>().map(judge),
        sqlx::Error::Tls(error) => Some(error.downcast_ref::<Error>().map_or_else(
            // The driver has no type for this one. The files that the URL names were checked before.
            || {
                "the server offers no TLS. Set `ssl = on` in its postgresql.conf or, if the network is trusted, \
                 sslmode=disable in the database URL."
                    .to_owned()
            },
            judge,
        )),
        _ => None,
    }
}

fn judge(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(fault) => judge_certificate(fault),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server requires a client certificate. Set sslcert and sslkey in the database URL to the files of \
             the certificate and its key."
                .to_owned()
        }
        Error::AlertReceived(
            alert @ (AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError),
        ) => format!(
            "the server refused the client certificate ({alert:?}). Set sslcert and sslkey in the database URL to a \
             valid certificate that an authority in ssl_ca_file of the server has issued, and its key."
        ),
        Error::InconsistentKeys(_) => {
            "the client certificate has another key. Set sslcert and sslkey in the database URL to a certificate and \
             the key that belongs to it."
                .to_owned()
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(_) => {
            "the server and this program have no version of TLS or cipher in common. Allow TLS 1.2 or newer on the \
             server (ssl_min_protocol_version, ssl_ciphers)."
                .to_owned()
        }
        other => format!("{other}. Check the address and the TLS settings of the server."),
    }
}

fn judge_certificate(fault: &CertificateError) -> String {
    match fault {
        CertificateError::UnknownIssuer => {
            "its certificate was issued by an authority that is not trusted here. Set sslrootcert in the database URL \
             to the file with the certificate of that authority."
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired. Renew the certificate of the server, and check the clock of this machine."
                .to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet. Check the clocks of both machines, and the certificate of the server."
                .to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            // Each is spelled as in `DnsName("localhost")`.
            let names: Vec<&str> =
                presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name)).collect();
            let names = if names.is_empty() { "no host name".to_owned() } else { names.join(", ") };
            format!(
                "its certificate is for {names} and not for {}. Write a name of the certificate as the host in the \
                 database URL, give the server a certificate for this host, or set sslmode=verify-ca, which does not \
                 compare names.",
                expected.to_str()
            )
        }
        other => format!(
            "its certificate is not valid ({other:?}). Give the server a certificate that an authority has issued, \
             and set sslrootcert in the database URL to the certificate of the authority. A certificate of an \
             authority cannot be that of a server."
        ),
    }
}
