//! TLS to PostgreSQL: what each `sslmode` accepts, and what a refusal says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use sqlx::{Connection, PgConnection};
use store::{ConnectOptions, Store};
use test_support::postgres::{Postgres, run};
use test_support::skip;

/// Where each database is reached from.
const ACCESS: &str = "\
hostssl certificates tests 127.0.0.1/32 cert
hostssl encrypted tests 127.0.0.1/32 trust
host postgres tests 127.0.0.1/32 trust
";

fn openssl(folder: &Path, arguments: &str) {
    run(Command::new("openssl").args(arguments.split(' ')).current_dir(folder));
}

/// Creates `NAME.pem` and `NAME.key`: an authority, or a certificate that `issuer` signs.
fn issue(folder: &Path, name: &str, subject: &str, issuer: Option<&str>) {
    let key = format!(
        "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -subj /CN={subject}"
    );
    match issuer {
        None => openssl(folder, &format!("req -x509 {key} -out {name}.pem -days 2")),
        Some(issuer) => {
            fs::write(folder.join("extensions"), format!("subjectAltName=DNS:{subject}\n")).unwrap();
            openssl(folder, &format!("req {key} -out {name}.csr"));
            openssl(
                folder,
                &format!(
                    "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 2 -out \
                     {name}.pem -extfile extensions"
                ),
            );
        }
    }
}

#[tokio::test]
async fn encryption_is_as_the_url_says() {
    if Command::new("openssl").arg("version").output().is_err() {
        return skip("openssl is not installed, which makes the certificates");
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    issue(here, "authority", "authority", None);
    issue(here, "stranger", "stranger", None);
    issue(here, "server", "localhost", Some("authority"));
    issue(here, "tests", "tests", Some("authority"));
    issue(here, "other", "other", Some("authority"));
    issue(here, "forged", "tests", Some("stranger"));
    let started = Postgres::start_prepared(|data| {
        for (from, to) in
            [("server.pem", "server.crt"), ("server.key", "server.key"), ("authority.pem", "ca.crt")]
        {
            fs::copy(here.join(from), data.join(to)).unwrap();
            fs::set_permissions(data.join(to), fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(data.join("pg_hba.conf"), ACCESS).unwrap();
        let settings = fs::read_to_string(data.join("postgresql.conf")).unwrap();
        fs::write(data.join("postgresql.conf"), format!("{settings}\nssl = on\nssl_ca_file = 'ca.crt'\n"))
            .unwrap();
    });
    let Some(server) = started else { return };
    let mut admin = PgConnection::connect(&server.url()).await.unwrap();
    for name in ["encrypted", "certificates"] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}")))
            .execute(&mut admin)
            .await
            .unwrap();
    }
    admin.close().await.unwrap();

    let (_, port) = server.address().rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let root = format!("sslrootcert={}", here.join("authority.pem").display());
    let strange = format!("sslrootcert={}", here.join("stranger.pem").display());
    let client = |name: &str, key: &str| {
        format!(
            "sslcert={}&sslkey={}",
            here.join(format!("{name}.pem")).display(),
            here.join(format!("{key}.key")).display()
        )
    };
    let missing = format!("sslrootcert={}", here.join("missing.pem").display());
    let no_pem = format!("sslrootcert={}", here.join("authority.key").display());
    let trusted = "issued by an authority that is not trusted here. Set sslrootcert";
    let address = format!("localhost:{port}");
    let full = |more: &str| format!("sslmode=verify-full&{root}{more}");
    for (host, database, parameters, expected) in [
        ("localhost", "postgres", "sslmode=disable".to_owned(), &[][..]),
        ("localhost", "encrypted", "sslmode=disable".to_owned(), &["pg_hba.conf", "sslmode=require"]),
        ("localhost", "encrypted", "sslmode=prefer".to_owned(), &[]),
        ("localhost", "encrypted", String::new(), &[]),
        ("localhost", "encrypted", "sslmode=require".to_owned(), &[]),
        ("127.0.0.1", "encrypted", format!("sslmode=require&{root}"), &[]),
        // As in libpq, naming an authority means to check it.
        ("localhost", "encrypted", format!("sslmode=require&{strange}"), &[trusted, &address]),
        ("127.0.0.1", "encrypted", format!("sslmode=verify-ca&{root}"), &[]),
        ("localhost", "encrypted", format!("sslmode=verify-ca&{strange}"), &[trusted, &address]),
        ("localhost", "encrypted", "sslmode=verify-ca".to_owned(), &[trusted, &address]),
        ("localhost", "encrypted", full(""), &[]),
        ("127.0.0.1", "encrypted", full(""), &["is for localhost and not for 127.0.0.1", "verify-ca"]),
        ("localhost", "encrypted", "sslmode=verify-full".to_owned(), &[trusted, &address]),
        ("localhost", "encrypted", format!("sslmode=verify-full&{missing}"), &["missing.pem", "sslrootcert"]),
        (
            "localhost",
            "encrypted",
            format!("sslmode=verify-full&{no_pem}"),
            &["authority.key", "no certificate"],
        ),
        ("localhost", "certificates", full(""), &["client certificate", "sslcert and sslkey"]),
        ("localhost", "certificates", full(&format!("&{}", client("tests", "tests"))), &[]),
        ("localhost", "certificates", full(&format!("&{}", client("other", "other"))), &["SQLSTATE 28000"]),
        (
            "localhost",
            "certificates",
            full(&format!("&{}", client("forged", "forged"))),
            &["refused the client certificate", "ssl_ca_file"],
        ),
        ("localhost", "certificates", full(&format!("&{}", client("tests", "other"))), &["another key"]),
    ] {
        let url = format!("postgres://tests@{host}:{port}/{database}?{parameters}");
        match Store::connect(&url, &ConnectOptions::default()).await {
            Ok(store) => {
                store.close().await;
                assert!(expected.is_empty(), "{url} was accepted");
            }
            Err(error) => {
                let said = error.to_string();
                assert!(!expected.is_empty(), "{url}: {said}");
                assert!(expected.iter().all(|words| said.contains(words)), "{url}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn server_without_encryption_is_refused_where_it_is_required() {
    let Some(server) = Postgres::start() else { return };
    for (mode, accepted) in [
        ("disable", true),
        ("prefer", true),
        ("require", false),
        ("verify-ca", false),
        ("verify-full", false),
    ] {
        let url = format!("{}?sslmode={mode}", server.url());
        match Store::connect(&url, &ConnectOptions::default()).await {
            Ok(store) => {
                store.close().await;
                assert!(accepted, "{mode}");
            }
            Err(error) => {
                let said = error.to_string();
                assert!(!accepted && said.contains("offers no TLS"), "{mode}: {said}");
                assert!(
                    said.contains(&server.address()) && said.contains("sslmode=disable"),
                    "{mode}: {said}"
                );
            }
        }
    }
}
