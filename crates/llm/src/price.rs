//! List prices, for vendors that do not report the cost of an answer.
//!
//! Never guesses: a model that is not in the table has no price. Discounts (cached input, batches) are not modelled,
//! so a price is an upper bound, which is what budgets need.

use crate::providers::ProviderId;
use crate::question::Usage;

/// US dollars per million tokens, which is the same number as millionths of a dollar per token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Per input token; 0 or more, and finite.
    pub input: f64,
    /// Per output token, thinking included; 0 or more, and finite.
    pub output: f64,
}

impl Price {
    /// The cost in millionths of a US dollar, rounded up.
    #[must_use]
    pub fn micro_usd(&self, input_tokens: u64, output_tokens: u64) -> u64 {
        self.exact(input_tokens, output_tokens).ceil() as u64
    }

    fn exact(&self, input_tokens: u64, output_tokens: u64) -> f64 {
        input_tokens as f64 * self.input + output_tokens as f64 * self.output
    }
}

struct Listed {
    provider: ProviderId,
    model: &'static str,
    price: Price,
}

/// Vendors' public list prices as of April 2026. Models with tiered prices are left out.
static PRICES: &[Listed] = &[
    Listed { provider: ProviderId::OpenAi, model: "gpt-4o", price: Price { input: 2.50, output: 10.00 } },
    Listed { provider: ProviderId::OpenAi, model: "gpt-4o-mini", price: Price { input: 0.15, output: 0.60 } },
    Listed { provider: ProviderId::OpenAi, model: "gpt-5", price: Price { input: 1.25, output: 10.00 } },
    Listed { provider: ProviderId::OpenAi, model: "gpt-5-mini", price: Price { input: 0.25, output: 2.00 } },
    Listed {
        provider: ProviderId::Anthropic,
        model: "claude-haiku-4-5",
        price: Price { input: 1.00, output: 5.00 },
    },
    Listed {
        provider: ProviderId::Anthropic,
        model: "claude-sonnet-4-5",
        price: Price { input: 3.00, output: 15.00 },
    },
    Listed {
        provider: ProviderId::Anthropic,
        model: "claude-sonnet-4-6",
        price: Price { input: 3.00, output: 15.00 },
    },
    Listed {
        provider: ProviderId::Gemini,
        model: "gemini-2.5-flash",
        price: Price { input: 0.30, output: 2.50 },
    },
];

/// The list price of `usage` in millionths of a US dollar; `None` for an unknown model or unknown tokens.
pub(crate) fn cost_micro_usd(provider: ProviderId, model: &str, usage: &Usage) -> Option<u64> {
    if usage.input_tokens == 0 && usage.output_tokens == 0 {
        return None;
    }
    let price = list_price(provider, model)?;
    Some(price.exact(usage.input_tokens, usage.output_tokens).round() as u64)
}

/// `None` if unknown.
#[must_use]
pub fn list_price(provider: ProviderId, model: &str) -> Option<Price> {
    PRICES.iter().find(|row| row.provider == provider && is_model(model, row.model)).map(|row| row.price)
}

/// The vendor's own figure, in dollars.
pub(crate) fn micro_usd(dollars: f64) -> Option<u64> {
    (dollars.is_finite() && dollars >= 0.0).then(|| (dollars * 1_000_000.0).round() as u64)
}

/// `gpt-5-mini` and its dated form `gpt-5-mini-2025-08-07` cost the same; `gpt-5-mini-high` is another model.
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
    fn prices_are_known_or_absent() {
        check(ProviderId::OpenAi, "gpt-4o-mini", (1_000_000, 1_000_000), Some(750_000));
        check(ProviderId::OpenAi, "gpt-4o-mini-2024-07-18", (10, 10), Some(8));
        check(ProviderId::Anthropic, "claude-haiku-4-5-20251001", (100, 100), Some(600));
        check(ProviderId::OpenAi, "gpt-4o-mini-high", (10, 10), None);
        check(ProviderId::OpenAi, "gpt-4", (10, 10), None);
        check(ProviderId::Compatible, "gpt-4o-mini", (10, 10), None);
        check(ProviderId::OpenAi, "gpt-4o-mini", (0, 0), None);
        assert_eq!(list_price(ProviderId::OpenAi, "gpt-4"), None);
        let known = list_price(ProviderId::OpenAi, "gpt-4o-mini").map(|price| price.micro_usd(1, 1));
        assert_eq!(known, Some(1), "a part of a millionth counts as one");
        assert_eq!(micro_usd(0.000_123_4), Some(123));
        assert_eq!(micro_usd(f64::NAN), None);
        assert_eq!(micro_usd(-1.0), None);
    }
}
