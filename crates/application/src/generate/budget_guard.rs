//! What questions to models are paid from. What a question may cost at most is reserved before it is asked and settled
//! when it is over, so that no budget is overspent, however many are asked at once.
//!
//! Where nobody knows what a question cost, it cost what was reserved: a vendor that did not answer in time, or whose
//! connection broke, may have charged for it. Each attempt that `llm` makes by itself after such an end is reserved anew. A
//! process that ends half-way, or a caller who goes away, leaves the reservation as spent for the same reason. What a vendor
//! charges beyond the reservation is booked in full, and the next question is refused.
//!
//! Decides on no budget: `budgets.rs` does.

use llm::{Answer, Endpoint, LlmError, Price, Question, Usage};
use store::{BudgetOf, BudgetPeriod, BudgetState, ProjectId, Reserved, Spending, TimeUs, UserId};

use super::endpoint::KeyOwner;
use crate::{
    Error,
    access::{Caller, store},
    budgets::{calendar, dollars, renews_at},
};
use crate::{app::App, clock::minute};

/// Tokens that vendors put around a question: their template, and their words for a schema.
const AROUND_QUESTION: u64 = 1024;

/// Tokens that they put around each turn of it.
const AROUND_TURN: u64 = 16;

/// From here on, in hundredths, a budget is nearly spent.
const NEARLY_SPENT: i64 = 80;

/// The budgets that pay for one request.
pub(crate) struct BudgetGuard<'a> {
    app: &'a App,
    project: Option<ProjectId>,
    user: Option<UserId>,
}

impl<'a> BudgetGuard<'a> {
    /// The project pays for what is asked with its key or the server's, a person for all but what they bring a key for.
    pub(crate) fn of(app: &'a App, caller: &Caller, project: &ProjectId, key: KeyOwner) -> Self {
        // A process without a database has no budgets either.
        let kept = app.store.is_some();
        let project = (kept && key == KeyOwner::Team).then(|| project.clone());
        let user = caller.user_id().filter(|_| kept && key != KeyOwner::Request).cloned();
        BudgetGuard { app, project, user }
    }

    /// Reserves what the question may cost at most.
    ///
    /// # Errors
    /// [`Error::Spent`] or [`Error::Model`] if it may not be asked; others if the database does not answer.
    pub(crate) async fn reserve(
        &self,
        endpoint: &Endpoint,
        question: &Question,
    ) -> Result<Reservation<'_>, Error> {
        let price = self.app.config.price(endpoint.provider, &endpoint.model);
        let mut held = Reservation {
            budget: self,
            most: MaxTokens::of(question),
            price,
            reservations: Vec::new(),
            lost: 0,
        };
        held.reserve().await?;
        Ok(held)
    }
}

/// What a question takes at most, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MaxTokens {
    input: u64,
    output: u64,
}

impl MaxTokens {
    /// A token is a byte at least.
    fn of(question: &Question) -> Self {
        let schema =
            question.schema.as_ref().map_or(0, |schema| schema.name.len() + schema.json.to_string().len());
        let turns: usize = question.turns.iter().map(|turn| turn.text.len()).sum();
        let bytes = (question.system.len() + schema + turns) as u64;
        let around = AROUND_QUESTION + AROUND_TURN * question.turns.len() as u64;
        MaxTokens { input: bytes + around, output: u64::from(question.max_output_tokens) }
    }

    fn tokens(self) -> i64 {
        whole(self.input.saturating_add(self.output))
    }
}

/// What is reserved for one question.
pub(crate) struct Reservation<'a> {
    budget: &'a BudgetGuard<'a>,
    most: MaxTokens,
    price: Option<Price>,
    reservations: Vec<store::Reservation>,
    /// Attempts before the last one, of which nobody will ever say what they cost.
    lost: u32,
}

/// What questions took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MeteredUsage {
    /// As far as it is known.
    pub(crate) usage: Usage,
    /// How many of them took nobody knows what.
    pub(crate) unknown: u32,
}

impl MeteredUsage {
    /// These and those.
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
                // What an earlier attempt had stays spent.
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

    /// Books what the question took, and says it: with its cost, where the vendor did not say it and the price is known.
    pub(crate) async fn settle(self, answer: &Result<Answer, LlmError>) -> MeteredUsage {
        let mut took = match answer {
            Ok(answer) => answer.usage,
            Err(error) => error.usage(),
        };
        if took.is_known() && took.cost_micro_usd.is_none() {
            took.cost_micro_usd =
                self.price.map(|price| price.micro_usd(took.input_tokens, took.output_tokens));
        }
        let ran = took.is_known() || answer.as_ref().err().is_none_or(LlmError::may_have_cost);
        let spent = if ran { self.spent(took) } else { Spending::default() };
        self.book(spent).await;
        let half = took.input_tokens == 0 || took.output_tokens == 0;
        MeteredUsage { usage: took, unknown: self.lost.saturating_add(u32::from(ran && half)) }
    }

    /// Books what another process took that asked so many questions at most with this: what it knows, and for each question of which it
    /// does not, its share of what was reserved.
    pub(crate) async fn settle_remote(self, took: MeteredUsage, questions: u32) {
        let share = |most: i64| most.saturating_add(i64::from(questions) - 1) / i64::from(questions.max(1));
        let unknown = i64::from(took.unknown);
        let Usage { input_tokens, output_tokens, cost_micro_usd } = took.usage;
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

    /// Puts what was spent in the place of what was reserved.
    async fn book(&self, spent: Spending) {
        let Some(store) = self.budget.app.store.as_ref().filter(|_| !self.reservations.is_empty()) else {
            return;
        };
        match store.settle_budgets(&self.reservations, spent).await {
            Ok(states) => states.iter().for_each(|state| count_nearly_spent(state, spent)),
            // An answer that is there is worth more than what stays reserved for it.
            Err(error) => tracing::warn!(
                "A question could not be settled, so its budgets count the most that it may have cost: {error}"
            ),
        }
    }

    /// What is booked for a question that the model may have read: what the vendor says, else what was reserved.
    fn spent(&self, took: Usage) -> Spending {
        let said = |count: u64, most: u64| if count == 0 { most } else { count };
        let input = said(took.input_tokens, self.most.input);
        let output = said(took.output_tokens, self.most.output);
        let listed = self.price.map(|price| price.micro_usd(input, output));
        let cost = match took.cost_micro_usd {
            // A cost of half the tokens is not the whole.
            Some(cost) if took.input_tokens == 0 || took.output_tokens == 0 => listed.unwrap_or(0).max(cost),
            Some(cost) => cost,
            None => listed.unwrap_or(0),
        };
        Spending { tokens: whole(input.saturating_add(output)), micro_usd: whole(cost) }
    }
}

impl llm::RetryPolicy for Reservation<'_> {
    async fn allow_retry(&mut self) -> bool {
        let pays = self.reserve().await.is_ok();
        // Where it does not, that attempt was the last one.
        self.lost = self.lost.saturating_add(u32::from(pays));
        pays
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `project` or `user`.
fn label(state: &BudgetState) -> &'static str {
    if state.budget.project_id.is_some() { "project" } else { "user" }
}

fn count_refusal(state: &BudgetState) {
    metrics::counter!("ba_copilot_budget_refusals_total", "of" => label(state)).increment(1);
}

/// Counts the question that took a budget past the mark, and only that one.
fn count_nearly_spent(state: &BudgetState, spent: Spending) {
    let limits = &state.budget.limits;
    if passes_mark(state.used.tokens, spent.tokens, limits.max_tokens)
        || passes_mark(state.used.micro_usd, spent.micro_usd, limits.max_micro_usd)
    {
        metrics::counter!("ba_copilot_budgets_nearly_spent_total", "of" => label(state)).increment(1);
    }
}

/// Whether what is used reaches the mark with what was spent last, and did not before.
fn passes_mark(used: i64, spent: i64, limit: Option<i64>) -> bool {
    let Some(limit) = limit else { return false };
    let reached = |used: i64| used.saturating_mul(100) >= limit.saturating_mul(NEARLY_SPENT);
    reached(used) && !reached(used.saturating_sub(spent))
}

/// Whose budget it is, and who can change it.
fn whose(state: &BudgetState) -> (&'static str, &'static str) {
    if state.budget.project_id.is_some() {
        ("The budget of this project", "an owner of the project")
    } else {
        ("Your budget", "an administrator of this server")
    }
}

fn refusal(state: BudgetState, most: Spending, now: TimeUs) -> Error {
    let (whose, who) = whose(&state);
    let limits = state.budget.limits;
    // Of two limits the one that is in the way; if both are, tokens.
    let (used, more, limit, said): (_, _, _, fn(i64) -> String) = if state.has_room_for_tokens(most.tokens) {
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
        "{whose}{period} is spent: of {} at most, {} are used or reserved, and this question may take {}.",
        said(limit),
        said(used),
        said(more)
    );
    match renews_at(limits.period, now) {
        // Waiting helps only a question that fits into a full budget.
        Some(renews_at) if more <= limit => {
            let wait_us = renews_at.as_micros().saturating_sub(now.as_micros());
            Error::Spent {
                message: format!(
                    "{problem} It is full again at {} UTC; {who} can raise it.",
                    minute(renews_at)
                ),
                wait_s: Some(u64::try_from(wait_us).unwrap_or(0).div_ceil(1_000_000)),
            }
        }
        _ => Error::Spent { message: format!("{problem} It has to be raised by {who}."), wait_s: None },
    }
}

fn no_price(state: &BudgetState) -> Error {
    let (whose, who) = whose(state);
    Error::Model {
        code: "price_unknown",
        message: format!(
            "{whose} is in money, and the price of this model is not known, so it was not asked. Choose another model, ask {who} for a budget in tokens, or have the price set as `model.prices`."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_question_that_passes_the_mark_is_counted() {
        for (used, spent, limit, passes) in [
            (79, 79, Some(100), false),
            (80, 1, Some(100), true),
            (150, 100, Some(100), true),
            (90, 10, Some(100), false),
            (90, 90, None, false),
            (0, 0, Some(0), false),
        ] {
            assert_eq!(passes_mark(used, spent, limit), passes, "{spent} more, {used} of {limit:?}");
        }
    }
}
