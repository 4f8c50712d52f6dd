//! List prices, for vendors that do not say what an answer cost.
//!
//! Never guesses: a model that is not in the table has no price. Discounts (cached input, batches) are not known here,
//! so a figure from this table is an upper bound.

use crate::providers::ProviderId;
use crate::question::Usage;

/// US dollars per million tokens, which is the same number as millionths of a dollar per token.
struct Price {
    provider: ProviderId,
    model: &'static str,
    input: f64,
    output: f64,
}

/// Vendors' public list prices as of April 2026. Models with tiered prices are left out on purpose.
static PRICES: &[Price] = &[
    Price { provider: ProviderId::OpenAi, model: "gpt-4o", input: 2.50, output: 10.00 },
    Price { provider: ProviderId::OpenAi, model: "gpt-4o-mini", input: 0.15, output: 0.60 },
    Price { provider: ProviderId::OpenAi, model: "gpt-5", input: 1.25, output: 10.00 },
    Price { provider: ProviderId::OpenAi, model: "gpt-5-mini", input: 0.25, output: 2.00 },
    Price { provider: ProviderId::Anthropic, model: "claude-haiku-4-5", input: 1.00, output: 5.00 },
    Price { provider: ProviderId::Anthropic, model: "claude-sonnet-4-5", input: 3.00, output: 15.00 },
    Price { provider: ProviderId::Anthropic, model: "claude-sonnet-4-6", input: 3.00, output: 15.00 },
    Price { provider: ProviderId::Gemini, model: "gemini-2.5-flash", input: 0.30, output: 2.50 },
];

/// The list price of `usage` in millionths of a US dollar; `None` for an unknown model or unknown tokens.
pub(crate) fn cost_micro_usd(provider: ProviderId, model: &str, usage: &Usage) -> Option<u64> {
    if usage.input_tokens == 0 && usage.output_tokens == 0 {
        return None;
    }
    let price = PRICES.iter().find(|price| price.provider == provider && is_model(model, price.model))?;
    let cost = usage.input_tokens as f64 * price.input + usage.output_tokens as f64 * price.output;
    Some(cost.round() as u64)
}

/// The vendor's own figure, given in dollars.
pub(crate) fn micro_usd(dollars: f64) -> Option<u64> {
    (dollars.is_finite() && dollars >= 0.0).then(|| (dollars * 1_000_000.0).round() as u64)
}

/// `gpt-5-mini` and its dated form `gpt-5-mini-2025-08-07` cost the same; `gpt-5-mini-high` is another thing.
fn is_model(asked: &str, listed: &str) -> bool {
    asked == listed
        || asked.strip_prefix(listed).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| {
            rest.len() >= 8 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        provider: ProviderId,
        model: &str,
        (input_tokens, output_tokens): (u64, u64),
        expected: Option<u64>,
    ) {
        let usage = Usage { input_tokens, output_tokens, cost_micro_usd: None };
        assert_eq!(cost_micro_usd(provider, model, &usage), expected, "{provider} {model}");
    }

    #[test]
    fn prices_are_known_or_absent_and_never_invented() {
        check(ProviderId::OpenAi, "gpt-4o-mini", (1_000_000, 1_000_000), Some(750_000));
        check(ProviderId::OpenAi, "gpt-4o-mini-2024-07-18", (10, 10), Some(8));
        check(ProviderId::Anthropic, "claude-haiku-4-5-20251001", (100, 100), Some(600));
        check(ProviderId::OpenAi, "gpt-4o-mini-high", (10, 10), None);
        check(ProviderId::OpenAi, "gpt-4", (10, 10), None);
        check(ProviderId::Compatible, "gpt-4o-mini", (10, 10), None);
        check(ProviderId::OpenAi, "gpt-4o-mini", (0, 0), None);
        assert_eq!(micro_usd(0.000_123_4), Some(123));
        assert_eq!(micro_usd(f64::NAN), None);
        assert_eq!(micro_usd(-1.0), None);
    }
}
