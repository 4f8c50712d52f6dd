//! Client of the identity provider (OpenID Connect, authorization code flow with PKCE).
//!
//! Accepts only claims signed with the provider's keys. Stores no token and logs no token content. The provider is
//! contacted only for a sign-in, so its outage affects nothing else. Whether a user may sign in is decided in
//! `accounts/oidc.rs`.

use std::{future::Future, sync::Arc, time::Duration};

use openidconnect::{
    AccessToken, AccessTokenHash, AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, DiscoveryError, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, SubjectIdentifier, TokenResponse,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreIdToken,
        CoreIdTokenClaims, CoreJsonWebKeySet, CoreJwsSigningAlgorithm, CoreProviderMetadata,
        CoreUserInfoClaims,
    },
};
use secrecy::ExposeSecret;
use store::TimeUs;
use tokio::sync::Mutex;

use crate::clock::Clock;
use config::{Config, comma_separated};

/// Lifetime of the cached metadata, in seconds.
const FRESH_S: i64 = 3600;
/// Delay before the metadata is requested again after a failure, in seconds.
const FAILED_S: i64 = 5;
/// Time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Asymmetric signature algorithms.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Safe to show and to log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    #[error("the identity provider cannot be reached")]
    Unreachable,
    /// The configuration does not match the provider.
    #[error("{0}")]
    Misconfigured(&'static str),
    /// The response does not conform to OpenID Connect.
    #[error("the response of the identity provider does not conform to OpenID Connect")]
    Strange,
    /// The authorization code is invalid or expired.
    #[error("the identity provider rejected the authorization code")]
    CodeRefused,
    /// The ID token is not valid for this sign-in.
    #[error("the ID token is invalid: {0}")]
    Token(&'static str),
}

/// Verified claims about a user.
#[derive(Clone)]
pub struct Claims {
    pub issuer: String,
    /// Stable id of the user at the provider.
    pub subject: String,
    /// The e-mail address, if the provider marks it as verified.
    pub verified_email: Option<String>,
    pub name: Option<String>,
}

/// Random values of one sign-in, 43 characters each.
#[derive(Clone)]
pub struct SignInSecrets {
    pub state: String,
    pub nonce: String,
    /// PKCE code verifier.
    pub verifier: String,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct OidcProvider(Arc<Inner>);

struct Inner {
    issuer: String,
    name: String,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect_url: String,
    scopes: Vec<Scope>,
    clock: Clock,
    http: Http,
    /// Locked during a request, so that concurrent callers share its result.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    found: Option<(TimeUs, Arc<CoreProviderMetadata>)>,
    failed: Option<(TimeUs, OidcError)>,
}

type Client = CoreClient<
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointMaybeSet,
    openidconnect::EndpointMaybeSet,
>;

impl OidcProvider {
    /// The configured provider, if any. Sends no request.
    pub fn from_config(config: &Config, clock: &Clock) -> Result<Option<OidcProvider>, OidcError> {
        let settings = &config.oidc;
        if settings.issuer.is_empty() {
            return Ok(None);
        }
        let host = || reqwest::Url::parse(&settings.issuer).ok()?.host_str().map(str::to_owned);
        let secret = settings.client_secret.expose_secret();
        Ok(Some(OidcProvider(Arc::new(Inner {
            issuer: settings.issuer.clone(),
            name: match settings.name.trim() {
                "" => host().unwrap_or_default(),
                name => name.to_owned(),
            },
            client_id: ClientId::new(settings.client_id.clone()),
            client_secret: (!secret.is_empty()).then(|| ClientSecret::new(secret.to_owned())),
            redirect_url: format!("{}/sign-in/oidc/callback", config.public_url()),
            scopes: comma_separated(&settings.scopes).map(|scope| Scope::new(scope.to_owned())).collect(),
            clock: clock.clone(),
            http: Http::new()?,
            known: Mutex::default(),
        }))))
    }

    /// Display name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Checks that the metadata of the provider is available and sufficient.
    pub async fn probe(&self) -> Result<(), OidcError> {
        self.metadata().await.map(|_| ())
    }

    pub async fn authorization_url(&self, chosen: &SignInSecrets) -> Result<String, OidcError> {
        let verifier = PkceCodeVerifier::new(chosen.verifier.clone());
        let (state, nonce) = (chosen.state.clone(), chosen.nonce.clone());
        let client = self.client(&*self.metadata().await?)?;
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scopes(self.0.scopes.iter().cloned())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url.into())
    }

    /// Exchanges an authorization code for verified claims.
    pub async fn redeem(&self, code: &str, chosen: &SignInSecrets) -> Result<Claims, OidcError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let reply = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| OidcError::Strange)?
            .set_pkce_verifier(PkceCodeVerifier::new(chosen.verifier.clone()))
            .request_async(&self.0.http)
            .await
            .map_err(exchange_problem)?;
        let token = reply.id_token().ok_or(OidcError::Token("it is missing"))?;
        let nonce = Nonce::new(chosen.nonce.clone());
        let signed = match self.verify(&client, token, &nonce, reply.access_token()) {
            // The provider may have rotated its keys.
            Err(error) if is_about_keys(&error) => {
                let client = self.client(&*self.refresh_keys(&metadata).await?)?;
                self.verify(&client, token, &nonce, reply.access_token()).map_err(token_problem)?
            }
            other => other.map_err(token_problem)?,
        };
        let mut claims = Claims {
            issuer: self.0.issuer.clone(),
            subject: signed.subject().to_string(),
            verified_email: signed
                .email()
                .filter(|_| signed.email_verified() == Some(true))
                .map(|email| email.to_string()),
            name: signed.name().and_then(|name| name.get(None)).map(|name| name.to_string()),
        };
        if claims.subject.is_empty() || claims.subject.len() > 255 || claims.subject.contains('\0') {
            return Err(OidcError::Token("it has no valid subject"));
        }
        // OpenID Connect Core 5.4: with an access token, claims may be only in the userinfo response.
        if signed.email().is_none() && metadata.userinfo_endpoint().is_some() {
            self.fetch_user_info(&client, reply.access_token(), signed.subject(), &mut claims).await?;
        }
        Ok(claims)
    }

    async fn fetch_user_info(
        &self,
        client: &Client,
        token: &AccessToken,
        subject: &SubjectIdentifier,
        claims: &mut Claims,
    ) -> Result<(), OidcError> {
        let more: CoreUserInfoClaims = client
            .user_info(token.clone(), Some(subject.clone()))
            .map_err(|_| OidcError::Strange)?
            .request_async(&self.0.http)
            .await
            .map_err(|_| OidcError::Strange)?;
        claims.verified_email =
            more.email().filter(|_| more.email_verified() == Some(true)).map(|email| email.to_string());
        if claims.name.is_none() {
            claims.name = more.name().and_then(|name| name.get(None)).map(|name| name.to_string());
        }
        Ok(())
    }

    fn verify<'a>(
        &self,
        client: &Client,
        token: &'a CoreIdToken,
        nonce: &Nonce,
        access: &AccessToken,
    ) -> Result<&'a CoreIdTokenClaims, ClaimsVerificationError> {
        let now = self.0.clock.now_us().as_micros();
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || chrono::DateTime::from_timestamp_micros(now).unwrap_or_default());
        let claims = token.claims(&verifier, nonce)?;
        if let Some(expected) = claims.access_token_hash() {
            let other = |_| ClaimsVerificationError::Other("the hash of the access token".to_owned());
            let algorithm = token.signing_alg().map_err(ClaimsVerificationError::SignatureVerification)?;
            let key = token.signing_key(&verifier).map_err(ClaimsVerificationError::SignatureVerification)?;
            if AccessTokenHash::from_token(access, algorithm, key).map_err(other)? != *expected {
                return Err(ClaimsVerificationError::Other("the access token is another one".to_owned()));
            }
        }
        Ok(claims)
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Result<Client, OidcError> {
        let inner = &self.0;
        let redirect = RedirectUrl::new(inner.redirect_url.clone())
            .map_err(|_| OidcError::Misconfigured("server.public_url is not a URL"))?;
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            inner.client_id.clone(),
            inner.client_secret.clone(),
        );
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
        let way = match takes(CoreClientAuthMethod::ClientSecretBasic) {
            false if takes(CoreClientAuthMethod::ClientSecretPost) => AuthType::RequestBody,
            _ => AuthType::BasicAuth,
        };
        Ok(client.set_redirect_uri(redirect).set_auth_type(way))
    }

    /// The metadata of the provider, requested at most once an hour. If that fails, the cached metadata is used.
    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        let mut known = self.0.known.lock().await;
        let now = self.0.clock.now_us();
        let within = |at: TimeUs, seconds: i64| {
            (0..seconds.saturating_mul(1_000_000)).contains(&now.as_micros().saturating_sub(at.as_micros()))
        };
        if let Some((at, metadata)) = &known.found
            && within(*at, FRESH_S)
        {
            return Ok(Arc::clone(metadata));
        }
        if let Some((at, error)) = &known.failed
            && within(*at, FAILED_S)
        {
            return known.found.as_ref().map(|(_, old)| Arc::clone(old)).ok_or_else(|| error.clone());
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *known = Known { found: Some((now, Arc::clone(&metadata))), failed: None };
                Ok(metadata)
            }
            Err(error) => {
                known.failed = Some((now, error.clone()));
                known.found.as_ref().map(|(_, old)| Arc::clone(old)).ok_or(error)
            }
        }
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, OidcError> {
        let issuer = IssuerUrl::new(self.0.issuer.clone())
            .map_err(|_| OidcError::Misconfigured("oidc.issuer is not a URL"))?;
        let metadata =
            CoreProviderMetadata::discover_async(issuer, &self.0.http).await.map_err(discovery_problem)?;
        let plain = |url: &openidconnect::url::Url| url.scheme() != "https";
        let asked = [
            Some(metadata.authorization_endpoint().url()),
            metadata.token_endpoint().map(|endpoint| endpoint.url()),
            metadata.userinfo_endpoint().map(|endpoint| endpoint.url()),
            Some(metadata.jwks_uri().url()),
        ];
        if self.0.issuer.starts_with("https:") && asked.into_iter().flatten().any(plain) {
            return Err(OidcError::Misconfigured("the provider has endpoints without TLS"));
        }
        Ok(metadata)
    }

    /// The metadata with the current keys of the provider.
    async fn refresh_keys(&self, old: &CoreProviderMetadata) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        let keys =
            CoreJsonWebKeySet::fetch_async(old.jwks_uri(), &self.0.http).await.map_err(discovery_problem)?;
        let metadata = Arc::new(old.clone().set_jwks(keys));
        let mut known = self.0.known.lock().await;
        if let Some((_, cached)) = &mut known.found {
            *cached = Arc::clone(&metadata);
        }
        Ok(metadata)
    }
}

fn is_about_keys(error: &ClaimsVerificationError) -> bool {
    use SignatureVerificationError as E;
    matches!(
        error,
        ClaimsVerificationError::SignatureVerification(
            E::NoMatchingKey | E::AmbiguousKeyId(_) | E::CryptoError(_) | E::InvalidKey(_)
        )
    )
}

/// The library's messages contain values of the token, so they are not used.
fn token_problem(error: ClaimsVerificationError) -> OidcError {
    use ClaimsVerificationError as E;
    OidcError::Token(match error {
        E::Expired(_) => "it has expired",
        E::InvalidAudience(_) => "it is for another client",
        E::InvalidIssuer(_) => "its issuer is another provider",
        E::InvalidNonce(_) => "its nonce is of another sign-in",
        E::InvalidSubject(_) => "it has no valid subject",
        E::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            "it is signed with a key that is not the provider's"
        }
        E::SignatureVerification(SignatureVerificationError::CryptoError(_)) => "its signature is wrong",
        E::SignatureVerification(_) => "its signature algorithm is not accepted",
        _ => "it is incomplete",
    })
}

fn discovery_problem(error: DiscoveryError<HttpError>) -> OidcError {
    match error {
        DiscoveryError::Request(HttpError::Failed) => OidcError::Unreachable,
        DiscoveryError::Response(status, ..) if status.is_server_error() => OidcError::Unreachable,
        DiscoveryError::Response(..) => {
            OidcError::Misconfigured("there is no discovery document under oidc.issuer")
        }
        DiscoveryError::Validation(_) => OidcError::Misconfigured(
            "the issuer of the provider differs from oidc.issuer; use exactly its form",
        ),
        _ => OidcError::Strange,
    }
}

type ExchangeError =
    RequestTokenError<HttpError, openidconnect::StandardErrorResponse<CoreErrorResponseType>>;

fn exchange_problem(error: ExchangeError) -> OidcError {
    match error {
        RequestTokenError::ServerResponse(reply) => match reply.error() {
            CoreErrorResponseType::InvalidGrant => OidcError::CodeRefused,
            CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                OidcError::Misconfigured("the provider rejects oidc.client_id with oidc.client_secret")
            }
            _ => OidcError::Strange,
        },
        RequestTokenError::Request(HttpError::Failed) => OidcError::Unreachable,
        _ => OidcError::Strange,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum HttpError {
    #[error("no answer")]
    Failed,
    #[error("the answer is too long")]
    TooLong,
}

/// Follows no redirect: a request contains secrets for the provider only.
struct Http(reqwest::Client);

impl Http {
    fn new() -> Result<Http, OidcError> {
        let tls = llm::tls_config().map_err(|_| OidcError::Misconfigured("TLS cannot be set up"))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // A proxy is set in the configuration, not by environment variables.
            .no_proxy()
            .build();
        client.map(Http).map_err(|_| OidcError::Misconfigured("no HTTPS client could be built"))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(|_| HttpError::Failed)?;
            let mut reply = self.0.execute(request).await.map_err(|_| HttpError::Failed)?;
            let mut answer = openidconnect::http::Response::new(Vec::new());
            *answer.status_mut() = reply.status();
            *answer.headers_mut() = reply.headers().clone();
            while let Some(chunk) = reply.chunk().await.map_err(|_| HttpError::Failed)? {
                if answer.body().len() + chunk.len() > MAX_ANSWER_BYTES {
                    return Err(HttpError::TooLong);
                }
                answer.body_mut().extend_from_slice(&chunk);
            }
            Ok(answer)
        })
    }
}
