//! The budget line on pages.

use maud::{Markup, html};

use super::layout::when;
use crate::state::AppState;
use application::{
    Error,
    access::Caller,
    budgets::{self, BudgetStatus, Owner, dollars},
};

/// The use of a budget; empty if there is none, or if the caller may not see it.
pub(super) async fn line(state: &AppState, caller: &Caller, owner: &Owner) -> Markup {
    match budgets::find_budget(&state.app, caller, owner).await {
        Ok(standing) => show(&standing),
        Err(Error::NotFound(_) | Error::Forbidden(_)) => html! {},
        Err(_) => html! { p.soft #budget { "The budget cannot be loaded now. Reload the page." } },
    }
}

fn show(standing: &BudgetStatus) -> Markup {
    let limits = &standing.budget.limits;
    let tokens = limits.max_tokens.map(|limit| format!("{} of {limit} tokens", standing.used.tokens));
    let money = limits
        .max_micro_usd
        .map(|limit| format!("{} of {}", dollars(standing.used.micro_usd), dollars(limit)));
    let used: Vec<String> = tokens.into_iter().chain(money).collect();
    html! {
        p.soft #budget {
            "Budget of models: " (used.join(" and ")) " used or reserved since " (when(standing.since)) "."
            @if let Some(renews_at) = standing.renews_at { " Full again on " (when(renews_at)) "." }
        }
    }
}
