//! How callers confirm a change to their credentials.

use llm::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use application::accounts::confirm::Proof;

/// A confirmation: your password or a code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofBody {
    /// Your password.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// A code of your authenticator app, or a recovery code.
    #[schema(example = "123456")]
    code: Option<String>,
}

impl From<ProofBody> for Proof {
    fn from(body: ProofBody) -> Self {
        Proof { password: body.password, code: body.code }
    }
}
