//! Budgets of model questions. The highest possible cost of a question is reserved before it is asked and settled
//! afterwards, so that concurrent questions cannot exceed a budget.
//!
//! If the cost is unknown, the reservation counts as spent: a provider that timed out, or whose connection broke, may
//! have charged for it. Each retry of `llm` after such a failure is reserved anew. The same holds for a process that
//! is killed and a caller that disconnects. A charge above the reservation is recorded in full, and the next question
//! is refused.
//!
//! Budgets are managed in `budgets.rs`.

use llm::{Answer, Endpoint, LlmError, Price, Question, Usage};
use store::{BudgetOf, BudgetPeriod, BudgetState, ProjectId, Reserved, Spending, TimeUs, UserId};

use super::endpoint::KeyOwner;
use crate::{
    Error,
    access::{Caller, store},
    budgets::{calendar, dollars, renews_at},
};
use crate::{app::App, clock::format_minute};

/// Tokens that providers add to a question: their template, and the schema in their format.
const QUESTION_OVERHEAD: u64 = 1024;

/// Tokens that providers add to each turn.
const TURN_OVERHEAD: u64 = 16;

/// Percentage at which a budget counts as nearly spent.
const WARNING_PERCENT: i64 = 80;

/// The budgets charged by one request.
pub(crate) struct BudgetGuard<'a> {
    app: &'a App,
    project: Option<ProjectId>,
    user: Option<UserId>,
}

impl<'a> BudgetGuard<'a> {
    /// The project's budget covers questions with its own or the server's key; the user's budget covers all but those
    /// with a key of the user.
    pub(crate) fn new(app: &'a App, caller: &Caller, project: &ProjectId, key: KeyOwner) -> Self {
        // Without a database there are no budgets.
        let has_store = app.store.is_some();
        let project = (has_store && key == KeyOwner::Team).then(|| project.clone());
        let user = caller.user_id().filter(|_| has_store && key != KeyOwner::Request).cloned();
        BudgetGuard { app, project, user }
    }

    /// Reserves the highest possible cost of a question.
    ///
    /// # Errors
    ///
    /// [`Error::BudgetExceeded`] or [`Error::ModelFailed`] if it must not be asked.
    pub(crate) async fn reserve(
        &self,
        endpoint: &Endpoint,
        question: &Question,
    ) -> Result<Reservation<'_>, Error> {
        let price = self.app.config.price(endpoint.provider, &endpoint.model);
        let mut held = Reservation {
            budget: self,
            most: MaxTokens::from_question(question),
            price,
            reservations: Vec::new(),
            lost: 0,
        };
        held.reserve().await?;
        Ok(held)
    }
}

/// Upper bound of the tokens of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MaxTokens {
    input: u64,
    output: u64,
}

impl MaxTokens {
    /// A token has at least one byte.
    fn from_question(question: &Question) -> Self {
        let schema =
            question.schema.as_ref().map_or(0, |schema| schema.name.len() + schema.json.to_string().len());
        let turns: usize = question.turns.iter().map(|turn| turn.text.len()).sum();
        let bytes = (question.system.len() + schema + turns) as u64;
        let around = QUESTION_OVERHEAD + TURN_OVERHEAD * question.turns.len() as u64;
        MaxTokens { input: bytes + around, output: u64::from(question.max_output_tokens) }
    }

    fn tokens(self) -> i64 {
        whole(self.input.saturating_add(self.output))
    }
}

pub(crate) struct Reservation<'a> {
    budget: &'a BudgetGuard<'a>,
    most: MaxTokens,
    price: Option<Price>,
    reservations: Vec<store::Reservation>,
    /// Failed attempts whose cost stays unknown.
    lost: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MeteredUsage {
    /// Sum of the known usage.
    pub(crate) usage: Usage,
    /// Number of questions with unknown usage.
    pub(crate) unknown: u32,
}

impl MeteredUsage {
    pub(crate) fn and(self, more: MeteredUsage) -> MeteredUsage {
        let (one, two) = (self.usage, more.usage);
        MeteredUsage {
            usage: Usage {
                input_tokens: one.input_tokens.saturating_add(two.input_tokens),
                output_tokens: one.output_tokens.saturating_add(two.output_tokens),
                cost_micro_usd: match (one.cost_micro_usd, two.cost_micro_usd) {
                    (None, None) => None,
                    (one, two) => Some(one.unwrap_or(0).saturating_add(two.unwrap_or(0))),
                },
            },
            unknown: self.unknown.saturating_add(more.unknown),
        }
    }
}

impl Reservation<'_> {
    async fn reserve(&mut self) -> Result<(), Error> {
        let BudgetGuard { app, project, user } = self.budget;
        let of: Vec<BudgetOf<'_>> =
            project.iter().map(BudgetOf::Project).chain(user.iter().map(BudgetOf::User)).collect();
        if of.is_empty() {
            return Ok(());
        }
        let now = app.clock.now_us();
        let MaxTokens { input, output } = self.most;
        let cost = self.price.map(|price| whole(price.micro_usd(input, output)));
        match store(app)?.reserve_budgets(&of, (self.most.tokens(), cost), calendar(now)).await? {
            Reserved::All(reservations) => {
                // The reservation of an earlier attempt stays spent.
                self.reservations = reservations;
                Ok(())
            }
            Reserved::Refused(state) => {
                count_refusal(&state);
                let most = Spending { tokens: self.most.tokens(), micro_usd: cost.unwrap_or(0) };
                Err(refusal(*state, most, now))
            }
            Reserved::NoPrice(state) => {
                count_refusal(&state);
                Err(no_price(&state))
            }
        }
    }

    /// Settles the reservation and returns the usage, with a computed cost if the provider reports none and the price
    /// is known.
    pub(crate) async fn settle(self, answer: &Result<Answer, LlmError>) -> MeteredUsage {
        let mut usage = match answer {
            Ok(answer) => answer.usage,
            Err(error) => error.usage(),
        };
        if usage.is_known() && usage.cost_micro_usd.is_none() {
            usage.cost_micro_usd =
                self.price.map(|price| price.micro_usd(usage.input_tokens, usage.output_tokens));
        }
        let ran = usage.is_known() || answer.as_ref().err().is_none_or(LlmError::may_have_cost);
        let spent = if ran { self.spent(usage) } else { Spending::default() };
        self.book(spent).await;
        let half = usage.input_tokens == 0 || usage.output_tokens == 0;
        MeteredUsage { usage, unknown: self.lost.saturating_add(u32::from(ran && half)) }
    }

    /// Settles a reservation for several questions asked by another process: the reported usage, and for each
    /// question without one its share of the reservation.
    pub(crate) async fn settle_remote(self, metered: MeteredUsage, questions: u32) {
        let share = |most: i64| most.saturating_add(i64::from(questions) - 1) / i64::from(questions.max(1));
        let unknown = i64::from(metered.unknown);
        let Usage { input_tokens, output_tokens, cost_micro_usd } = metered.usage;
        let listed = |input, output| self.price.map_or(0, |price| price.micro_usd(input, output));
        let known = whole(cost_micro_usd.unwrap_or_else(|| listed(input_tokens, output_tokens)));
        let most = whole(listed(self.most.input, self.most.output));
        let spent = Spending {
            tokens: whole(input_tokens.saturating_add(output_tokens))
                .saturating_add(share(self.most.tokens()).saturating_mul(unknown)),
            micro_usd: known.saturating_add(share(most).saturating_mul(unknown)),
        };
        self.book(spent).await;
    }

    /// Replaces the reservation with the actual spending.
    async fn book(&self, spent: Spending) {
        let Some(store) = self.budget.app.store.as_ref().filter(|_| !self.reservations.is_empty()) else {
            return;
        };
        match store.settle_budgets(&self.reservations, spent).await {
            Ok(states) => states.iter().for_each(|state| count_threshold_crossed(state, spent)),
            // The answer must not be lost because the settlement failed.
            Err(error) => tracing::warn!(
                "Settling a budget reservation failed, so the whole reservation counts as spent: {error}"
            ),
        }
    }

    /// What is charged for a question that the model may have read: the reported usage, else the reservation.
    fn spent(&self, usage: Usage) -> Spending {
        let reported_or = |count: u64, most: u64| if count == 0 { most } else { count };
        let input = reported_or(usage.input_tokens, self.most.input);
        let output = reported_or(usage.output_tokens, self.most.output);
        let listed = self.price.map(|price| price.micro_usd(input, output));
        let cost = match usage.cost_micro_usd {
            // A cost of half the tokens is not complete.
            Some(cost) if usage.input_tokens == 0 || usage.output_tokens == 0 => {
                listed.unwrap_or(0).max(cost)
            }
            Some(cost) => cost,
            None => listed.unwrap_or(0),
        };
        Spending { tokens: whole(input.saturating_add(output)), micro_usd: whole(cost) }
    }
}

impl llm::RetryPolicy for Reservation<'_> {
    async fn allow_retry(&mut self) -> bool {
        let pays = self.reserve().await.is_ok();
        // If the reservation fails, that attempt was the last one.
        self.lost = self.lost.saturating_add(u32::from(pays));
        pays
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn label(state: &BudgetState) -> &'static str {
    if state.budget.project_id.is_some() { "project" } else { "user" }
}

fn count_refusal(state: &BudgetState) {
    metrics::counter!("ba_copilot_budget_refusals_total", "of" => label(state)).increment(1);
}

/// Counts the question that took a budget past the threshold, once.
fn count_threshold_crossed(state: &BudgetState, spent: Spending) {
    let limits = &state.budget.limits;
    if crosses_threshold(state.used.tokens, spent.tokens, limits.max_tokens)
        || crosses_threshold(state.used.micro_usd, spent.micro_usd, limits.max_micro_usd)
    {
        metrics::counter!("ba_copilot_budgets_nearly_spent_total", "of" => label(state)).increment(1);
    }
}

/// Whether this spending crosses the threshold.
fn crosses_threshold(used: i64, spent: i64, limit: Option<i64>) -> bool {
    let Some(limit) = limit else { return false };
    let reached = |used: i64| used.saturating_mul(100) >= limit.saturating_mul(WARNING_PERCENT);
    reached(used) && !reached(used.saturating_sub(spent))
}

/// Names the budget and who can change it.
fn budget_owner(state: &BudgetState) -> (&'static str, &'static str) {
    if state.budget.project_id.is_some() {
        ("The budget of this project", "an owner of the project")
    } else {
        ("Your budget", "an administrator of this server")
    }
}

fn refusal(state: BudgetState, most: Spending, now: TimeUs) -> Error {
    let (budget_name, who) = budget_owner(&state);
    let limits = state.budget.limits;
    // The exceeded limit; tokens if both are.
    let (used, more, limit, format_amount): (_, _, _, fn(i64) -> String) =
        if state.has_room_for_tokens(most.tokens) {
            (state.used.micro_usd, most.micro_usd, limits.max_micro_usd, dollars)
        } else {
            (state.used.tokens, most.tokens, limits.max_tokens, |tokens| format!("{tokens} tokens"))
        };
    let limit = limit.unwrap_or(0);
    let period = match limits.period {
        BudgetPeriod::Day => " for today",
        BudgetPeriod::Month => " for this month",
        BudgetPeriod::Total => "",
    };
    let problem = format!(
        "{budget_name}{period} is exhausted: of {}, {} are used or reserved, and this question may use {}.",
        format_amount(limit),
        format_amount(used),
        format_amount(more)
    );
    match renews_at(limits.period, now) {
        // Renewal helps only a question that fits into the whole budget.
        Some(renews_at) if more <= limit => {
            let wait_us = renews_at.as_micros().saturating_sub(now.as_micros());
            Error::BudgetExceeded {
                message: format!(
                    "{problem} It is renewed at {} UTC; {who} can raise it.",
                    format_minute(renews_at)
                ),
                wait_s: Some(u64::try_from(wait_us).unwrap_or(0).div_ceil(1_000_000)),
            }
        }
        _ => Error::BudgetExceeded { message: format!("{problem} Ask {who} to raise it."), wait_s: None },
    }
}

fn no_price(state: &BudgetState) -> Error {
    let (budget_name, who) = budget_owner(state);
    Error::ModelFailed {
        code: "price_unknown",
        message: format!(
            "{budget_name} limits the cost, and the price of this model is not known, so it was not asked. Choose \
             another model, ask {who} for a budget in tokens, or set the price as `model.prices`."
        ),
        wait_s: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threshold_is_counted_once() {
        for (used, spent, limit, passes) in [
            (79, 79, Some(100), false),
            (80, 1, Some(100), true),
            (150, 100, Some(100), true),
            (90, 10, Some(100), false),
            (90, 90, None, false),
            (0, 0, Some(0), false),
        ] {
            assert_eq!(crosses_threshold(used, spent, limit), passes, "{spent} more, {used} of {limit:?}");
        }
    }
}
