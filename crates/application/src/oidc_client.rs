//! The identity provider: asked over HTTP who somebody is (OpenID Connect, authorization code with PKCE).
//!
//! Believes nothing that the provider's keys have not signed. Never decides who may come in (`service/accounts/oidc.rs`),
//! keeps no token, and logs neither tokens nor what stands in them. A provider that is away costs a sign-in and nothing else:
//! nothing is asked before somebody wants to sign in.

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

/// What the provider says of itself is asked for again after so long, in seconds.
const FRESH_S: i64 = 3600;
/// After it did not answer, it is not asked again for so long, in seconds.
const FAILED_S: i64 = 5;
/// Longest time for one of its answers.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longer answers are not read.
const LARGEST_ANSWER: usize = 1 << 20;

/// Signatures that anybody can check and only the provider can make.
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

/// Why the provider did not say who somebody is; safe to show and to log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// No connection, it broke, or it took too long.
    #[error("it cannot be reached")]
    Unreachable,
    /// The settings do not fit to it.
    #[error("{0}")]
    Misconfigured(&'static str),
    /// It answered something that OpenID Connect does not know.
    #[error("it answered something else than OpenID Connect asks for")]
    Strange,
    /// The code is not good, or not any more.
    #[error("it did not take the code that the browser brought back")]
    CodeRefused,
    /// What it says is not signed, not meant for us, not for this sign-in, or not for this time.
    #[error("its token cannot be believed: {0}")]
    Token(&'static str),
}

/// Who the provider says that somebody is.
#[derive(Clone)]
pub struct Claims {
    /// The provider.
    pub issuer: String,
    /// What it calls the person, for ever.
    pub subject: String,
    /// The e-mail address, if the provider vouches for it.
    pub verified_email: Option<String>,
    /// What the person is called, if it says so.
    pub name: Option<String>,
}

/// What is chosen anew for each sign-in: random texts of 43 characters.
#[derive(Clone)]
pub struct Chosen {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back in the token.
    pub nonce: String,
    /// Shows the provider that the code is brought by whoever asked for it.
    pub verifier: String,
}

/// The identity provider of the configuration. Cheap to clone.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    issuer: String,
    name: String,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect_url: String,
    scopes: Vec<Scope>,
    clock: Clock,
    http: Http,
    /// One asks it, and the others wait for what it finds.
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

impl Provider {
    /// The provider of the configuration, if it names one; nothing is sent yet.
    ///
    /// # Errors
    /// When no HTTPS client can be built.
    pub fn of(config: &Config, clock: &Clock) -> Result<Option<Provider>, OidcError> {
        let settings = &config.oidc;
        if settings.issuer.is_empty() {
            return Ok(None);
        }
        let host = || reqwest::Url::parse(&settings.issuer).ok()?.host_str().map(str::to_owned);
        let secret = settings.client_secret.expose_secret();
        Ok(Some(Provider(Arc::new(Inner {
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

    /// What people know it as.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it calls itself.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whether the provider says of itself what is needed.
    ///
    /// # Errors
    /// Why it cannot be used now.
    pub async fn probe(&self) -> Result<(), OidcError> {
        self.metadata().await.map(|_| ())
    }

    /// Where to send a browser, so that it comes back with a code.
    ///
    /// # Errors
    /// When the provider cannot be used now.
    pub async fn authorization_url(&self, chosen: &Chosen) -> Result<String, OidcError> {
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

    /// Exchanges the code that the browser brought back for who it is.
    ///
    /// # Errors
    /// When the provider does not take the code, or its token cannot be believed.
    pub async fn redeem(&self, code: &str, chosen: &Chosen) -> Result<Claims, OidcError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let reply = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| OidcError::Strange)?
            .set_pkce_verifier(PkceCodeVerifier::new(chosen.verifier.clone()))
            .request_async(&self.0.http)
            .await
            .map_err(exchange_problem)?;
        let token = reply.id_token().ok_or(OidcError::Token("there is none"))?;
        let nonce = Nonce::new(chosen.nonce.clone());
        let claims = match self.verify(&client, token, &nonce, reply.access_token()) {
            // The provider may have changed its keys since we asked for them.
            Err(error) if is_about_keys(&error) => {
                let client = self.client(&*self.refresh_keys(&metadata).await?)?;
                self.verify(&client, token, &nonce, reply.access_token()).map_err(token_problem)?
            }
            other => other.map_err(token_problem)?,
        };
        let mut who = Claims {
            issuer: self.0.issuer.clone(),
            subject: claims.subject().to_string(),
            verified_email: claims
                .email()
                .filter(|_| claims.email_verified() == Some(true))
                .map(|email| email.to_string()),
            name: claims.name().and_then(|name| name.get(None)).map(|name| name.to_string()),
        };
        if who.subject.is_empty() || who.subject.len() > 255 || who.subject.contains('\0') {
            return Err(OidcError::Token("it names nobody"));
        }
        // By the letter of the standard, what comes with an access token need not be in the token as well.
        if claims.email().is_none() && metadata.userinfo_endpoint().is_some() {
            self.ask_more(&client, reply.access_token(), claims.subject(), &mut who).await?;
        }
        Ok(who)
    }

    async fn ask_more(
        &self,
        client: &Client,
        token: &AccessToken,
        subject: &SubjectIdentifier,
        who: &mut Claims,
    ) -> Result<(), OidcError> {
        let more: CoreUserInfoClaims = client
            .user_info(token.clone(), Some(subject.clone()))
            .map_err(|_| OidcError::Strange)?
            .request_async(&self.0.http)
            .await
            .map_err(|_| OidcError::Strange)?;
        who.verified_email =
            more.email().filter(|_| more.email_verified() == Some(true)).map(|email| email.to_string());
        if who.name.is_none() {
            who.name = more.name().and_then(|name| name.get(None)).map(|name| name.to_string());
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
            .map_err(|_| OidcError::Misconfigured("server.public_url is no address"))?;
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

    /// What the provider says of itself, asked for at most once an hour. Where it does not answer, what it said before is
    /// good enough.
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
            .map_err(|_| OidcError::Misconfigured("oidc.issuer is no address"))?;
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
            return Err(OidcError::Misconfigured("the provider names addresses without TLS"));
        }
        Ok(metadata)
    }

    /// The same with the keys that the provider has now.
    async fn refresh_keys(&self, old: &CoreProviderMetadata) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        let keys =
            CoreJsonWebKeySet::fetch_async(old.jwks_uri(), &self.0.http).await.map_err(discovery_problem)?;
        let metadata = Arc::new(old.clone().set_jwks(keys));
        let mut known = self.0.known.lock().await;
        if let Some((_, kept)) = &mut known.found {
            *kept = Arc::clone(&metadata);
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

/// In our own words: the library's repeat what stands in the token.
fn token_problem(error: ClaimsVerificationError) -> OidcError {
    use ClaimsVerificationError as E;
    OidcError::Token(match error {
        E::Expired(_) => "it is too old",
        E::InvalidAudience(_) => "it is for somebody else",
        E::InvalidIssuer(_) => "it is of another provider",
        E::InvalidNonce(_) => "it is of another sign-in",
        E::InvalidSubject(_) => "it names nobody",
        E::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            "it is signed with a key that is not the provider's"
        }
        E::SignatureVerification(SignatureVerificationError::CryptoError(_)) => "its signature is wrong",
        E::SignatureVerification(_) => "it is not signed in a way that can be trusted",
        _ => "it is not complete",
    })
}

fn discovery_problem(error: DiscoveryError<HttpError>) -> OidcError {
    match error {
        DiscoveryError::Request(HttpError::Failed) => OidcError::Unreachable,
        DiscoveryError::Response(status, ..) if status.is_server_error() => OidcError::Unreachable,
        DiscoveryError::Response(..) => {
            OidcError::Misconfigured("there is no discovery document under oidc.issuer")
        }
        DiscoveryError::Validation(_) => {
            OidcError::Misconfigured("it calls itself otherwise than oidc.issuer says; write it exactly so")
        }
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
                OidcError::Misconfigured("it does not take oidc.client_id with oidc.client_secret")
            }
            _ => OidcError::Strange,
        },
        RequestTokenError::Request(HttpError::Failed) => OidcError::Unreachable,
        _ => OidcError::Strange,
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum HttpError {
    #[error("no answer")]
    Failed,
    #[error("the answer is too long")]
    TooLong,
}

/// The HTTP client. It follows no redirect: what is sent is for the provider alone.
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
            // Whether there is a proxy is the configuration's business, not the environment's.
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
                if answer.body().len() + chunk.len() > LARGEST_ANSWER {
                    return Err(HttpError::TooLong);
                }
                answer.body_mut().extend_from_slice(&chunk);
            }
            Ok(answer)
        })
    }
}
