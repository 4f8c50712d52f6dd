//! The setting `model.prices`: prices of models that are not in the built-in price list.

use llm::{Price, ProviderId};

use super::{comma_separated, provider_names};

/// `provider/model=input:output, …`, in US dollars per million tokens.
pub(super) fn parse(list: &str) -> Result<Vec<(ProviderId, &str, Price)>, String> {
    comma_separated(list).map(entry).collect()
}

fn entry(entry: &str) -> Result<(ProviderId, &str, Price), String> {
    let parts = || {
        let (asked, price) = entry.rsplit_once('=')?;
        let (provider, model) = asked.trim().split_once('/')?;
        let (input, output) = price.split_once(':')?;
        let (input, output) = (dollars(input)?, dollars(output)?);
        (!model.is_empty()).then_some((provider, model, Price { input, output }))
    };
    let (provider, model, price) = parts().ok_or_else(|| {
        format!("`{entry}` is not PROVIDER/MODEL=INPUT:OUTPUT, such as compatible/qwen3=0.10:0.40")
    })?;
    let provider = provider
        .parse()
        .map_err(|_| format!("`{provider}` is not a provider; use {}", provider_names().join(", ")))?;
    Ok((provider, model, price))
}

fn dollars(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|dollars| (0.0..=1_000_000.0).contains(dollars))
}

pub(super) fn find(list: &str, provider: ProviderId, model: &str) -> Option<Price> {
    let mut prices = parse(list).ok()?.into_iter();
    prices.find(|(entry, name, _)| *entry == provider && *name == model).map(|(_, _, price)| price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_price_lists_are_refused() {
        let list = "compatible/default=0:0, openrouter/openai/gpt-5-mini:nitro=0.25:2";
        assert_eq!(
            find(list, ProviderId::OpenRouter, "openai/gpt-5-mini:nitro"),
            Some(Price { input: 0.25, output: 2.0 })
        );
        assert_eq!(find(list, ProviderId::Compatible, "default"), Some(Price { input: 0.0, output: 0.0 }));
        assert_eq!(find(list, ProviderId::OpenAi, "default"), None);
        assert_eq!(find("", ProviderId::OpenAi, "default"), None);
        for wrong in [
            "x",
            "openai/m",
            "openai=1:1",
            "openai/m=1",
            "openai/m=-1:1",
            "openai/m=inf:1",
            "unknown/m=1:1",
            "openai/=1:1",
            "openai/m=NaN:1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
