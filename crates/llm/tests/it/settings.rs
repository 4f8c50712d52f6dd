//! What an endpoint requires before a request is sent, and that its key is not printed.

use llm::{Endpoint, LlmError, Misconfigured, PROVIDERS, ProviderId, SecretString};

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

#[track_caller]
fn check(endpoint: &Endpoint, expected: Option<Misconfigured>) {
    let found = match endpoint.check() {
        Ok(()) => None,
        Err(LlmError::Misconfigured { what, .. }) => Some(what),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(found, expected, "{endpoint:?}");
    assert_eq!(endpoint.is_configured(), expected.is_none());
}

#[test]
fn endpoint_check_names_what_is_missing() {
    let keyed = || Endpoint::new(ProviderId::OpenAi).with_key(secret("sk-1"));
    let at = |url: &str| Endpoint::new(ProviderId::Compatible).with_base_url(url);
    check(&keyed(), None);
    check(&Endpoint::new(ProviderId::OpenAi), Some(Misconfigured::NoKey { variable: "OPENAI_API_KEY" }));
    check(&keyed().with_key(secret("  ")), Some(Misconfigured::NoKey { variable: "OPENAI_API_KEY" }));
    check(&keyed().with_key(secret(" sk-1\n")), None);
    check(&keyed().with_key(secret("sk-1\r\nhost: evil")), Some(Misconfigured::BadKey));
    check(&keyed().with_key(secret("schlüssel")), Some(Misconfigured::BadKey));
    for model in ["", "../files", "a b", "a?b", "a#b", "/a", "ä"] {
        check(&keyed().with_model(model), Some(Misconfigured::BadModel));
    }
    check(&keyed().with_model("m".repeat(201)), Some(Misconfigured::BadModel));
    for model in
        ["gpt-5-mini", "anthropic/claude-sonnet-4.5:beta", "hf.co/x/y-GGUF:Q4_K_M", "ft:gpt-4o:org::id"]
    {
        check(&keyed().with_model(model), None);
    }
    check(&Endpoint::new(ProviderId::Compatible), Some(Misconfigured::BadBaseUrl));
    check(&at("http://127.0.0.1:8080/v1"), None);
    check(&at("https://models.example/openai/v1/"), None);
    for url in [
        "",
        "models.example",
        "ftp://models.example/",
        "http://me:pw@models.example/",
        "http://models.example/?key=1",
        "http://models.example/#x",
        "file:///etc/passwd",
    ] {
        check(&at(url), Some(Misconfigured::BadBaseUrl));
    }
    check(&Endpoint::new(ProviderId::Scripted), None);
}

#[test]
fn provider_table_is_consistent() {
    for (position, row) in PROVIDERS.iter().enumerate() {
        assert_eq!(row.id as usize, position);
        assert_eq!(row.id.row(), row);
        assert_eq!(row.name.parse(), Ok(row.id));
        assert_eq!(row.id.to_string(), row.name);
        assert_eq!(serde_json::to_value(row.id).expect("JSON"), row.name);
        assert!(row.api_key.is_some() || !row.needs_key, "{}: no setting for the key", row.name);
        assert!(row.base_url.is_some() || row.default_base_url.is_some() || !row.is_public(), "{}", row.name);
        for setting in row.api_key.iter().chain(&row.base_url) {
            assert!(setting.key.starts_with("providers."), "{}", setting.key);
        }
        let endpoint = Endpoint::new(row.id)
            .with_key(secret("k"))
            .with_base_url(row.default_base_url.unwrap_or("http://h/"));
        assert!(endpoint.is_configured(), "{}", row.name);
    }
    assert!("OpenAI".parse::<ProviderId>().is_err());
}

#[test]
fn debug_hides_the_key() {
    let shown = format!("{:?}", Endpoint::new(ProviderId::OpenAi).with_key(secret("sk-canary")));
    assert!(!shown.contains("canary"), "{shown}");
}
