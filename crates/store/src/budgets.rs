//! Budgets: limits on model use per project and user. Never overspent by concurrent requests: the maximum cost of a
//! question is reserved before it is sent, and settled afterwards.
//!
//! Use is counted by day, so that a changed period can be computed from it. A process that ends before it settles
//! leaves its reservation counted as spent, on purpose: the vendor may have charged for the question.
//!
//! The row of a budget is its lock. A transaction locks the project's budget before the user's, which rules out
//! deadlocks.

use crate::audit::record_audit;
use crate::error::or_missing;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{BudgetId, Field, NewAuditEvent, ProjectId, Resource, Store, StoreError, TimeUs, UserId};

/// Upper bound of limits and counts, so that no sum overflows its column: a thousand million US dollars.
pub const MAX_SPENDING: i64 = 1_000_000_000_000_000;

/// After which time the use starts again at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetPeriod {
    Day,
    /// A calendar month.
    Month,
    /// Never resets.
    Total,
}

impl BudgetPeriod {
    pub const ALL: [BudgetPeriod; 3] = [BudgetPeriod::Day, BudgetPeriod::Month, BudgetPeriod::Total];

    /// The stored value: `day`, `month` or `total`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }
}

impl TryFrom<String> for BudgetPeriod {
    type Error = StoreError;

    fn try_from(word: String) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|period| period.as_str() == word)
            .ok_or(StoreError::Invalid { what: Field::BudgetPeriod })
    }
}

/// At least one of the two limits is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    pub period: BudgetPeriod,
    /// Tokens, read and written, 0 to [`MAX_SPENDING`].
    pub max_tokens: Option<i64>,
    /// Millionths of a US dollar, 0 to [`MAX_SPENDING`].
    pub max_micro_usd: Option<i64>,
}

row!(BudgetLimits { period as String, max_tokens, max_micro_usd });

impl BudgetLimits {
    fn check(&self) -> Result<(), StoreError> {
        let kept = |limit: Option<i64>| limit.is_none_or(|limit| (0..=MAX_SPENDING).contains(&limit));
        let some = self.max_tokens.is_some() || self.max_micro_usd.is_some();
        if some && kept(self.max_tokens) && kept(self.max_micro_usd) {
            Ok(())
        } else {
            Err(StoreError::Invalid { what: Field::BudgetLimit })
        }
    }
}

/// The budget of a project or of a user; exactly one of the two is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    pub id: BudgetId,
    pub project_id: Option<ProjectId>,
    pub user_id: Option<UserId>,
    pub limits: BudgetLimits,
    /// Incremented by each change.
    pub revision: i64,
    pub created_at: TimeUs,
    pub updated_at: TimeUs,
}

row!(Budget { id, project_id, user_id, limits in row, revision, created_at, updated_at });

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BudgetOf<'a> {
    /// First, because reservations lock in this order.
    Project(&'a ProjectId),
    User(&'a UserId),
}

impl<'a> BudgetOf<'a> {
    /// The values of the two columns.
    fn columns(self) -> (Option<&'a ProjectId>, Option<&'a UserId>) {
        match self {
            BudgetOf::Project(project) => (Some(project), None),
            BudgetOf::User(user) => (None, Some(user)),
        }
    }
}

/// 0 or more of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spending {
    /// Tokens, read and written.
    pub tokens: i64,
    /// Millionths of a US dollar.
    pub micro_usd: i64,
}

row!(Spending { tokens, micro_usd });

impl Spending {
    /// Clamped to what fits the column, whatever a vendor reports.
    fn bounded(self) -> Self {
        let bounded = |amount: i64| amount.clamp(0, MAX_SPENDING);
        Self { tokens: bounded(self.tokens), micro_usd: bounded(self.micro_usd) }
    }
}

/// The start of the current day and month. The store knows no calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    pub day: TimeUs,
    /// Not after `day`.
    pub month: TimeUs,
}

impl Calendar {
    /// Start of the current period.
    #[must_use]
    pub const fn since(self, period: BudgetPeriod) -> TimeUs {
        match period {
            BudgetPeriod::Day => self.day,
            BudgetPeriod::Month => self.month,
            BudgetPeriod::Total => TimeUs::from_micros(0),
        }
    }
}

/// A budget and its use in the current period, reservations included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetState {
    pub budget: Budget,
    pub used: Spending,
}

impl BudgetState {
    /// True if `tokens` more stay within the limits.
    #[must_use]
    pub fn has_room_for_tokens(&self, more: i64) -> bool {
        self.budget.limits.max_tokens.is_none_or(|limit| self.used.tokens.saturating_add(more) <= limit)
    }

    /// True if so many millionths of a US dollar more stay within the limits.
    #[must_use]
    pub fn has_room_for_micro_usd(&self, more: i64) -> bool {
        self.budget.limits.max_micro_usd.is_none_or(|limit| self.used.micro_usd.saturating_add(more) <= limit)
    }
}

/// A reservation from one budget, for [`Store::settle_budgets`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    budget_id: BudgetId,
    /// The day on which it is counted, even if it is settled on a later one.
    day: TimeUs,
    /// The period in which it was reserved.
    since: TimeUs,
    reserved: Spending,
}

/// The outcome of [`Store::reserve_budgets`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// Reserved from each budget; empty if there is none.
    All(Vec<Reservation>),
    /// Nothing was reserved: this budget is exhausted.
    Refused(Box<BudgetState>),
    /// Nothing was reserved: this budget limits money and the price is unknown.
    NoPrice(Box<BudgetState>),
}

macro_rules! budget_columns {
    () => {
        "id, project_id, user_id, period, max_tokens, max_micro_usd, revision, created_at, updated_at"
    };
}

const FIND_BUDGET: &str =
    concat!("select ", budget_columns!(), " from budgets where project_id = $1 or user_id = $2");

/// Finds a budget and locks its row, on both databases (`for update` exists in PostgreSQL only).
const HOLD_BUDGET: &str = concat!(
    "update budgets set updated_at = updated_at where project_id = $1 or user_id = $2 returning ",
    budget_columns!()
);

/// PostgreSQL's `sum` of integers is a decimal.
const SUM_USE: &str = "select cast(coalesce(sum(tokens), 0) as bigint) as tokens, \
    cast(coalesce(sum(micro_usd), 0) as bigint) as micro_usd \
    from budget_use where budget_id = $1 and period_start >= $2";

const ADD_USE: &str = "insert into budget_use (budget_id, period_start, tokens, micro_usd) values ($1, $2, $3, $4) \
    on conflict (budget_id, period_start) do update \
    set tokens = budget_use.tokens + excluded.tokens, micro_usd = budget_use.micro_usd + excluded.micro_usd";

/// SQLite has no `least` and `greatest`.
const CORRECT_USE: &str = "update budget_use set \
    tokens = case when tokens + $3 < 0 then 0 when tokens + $3 > $5 then $5 else tokens + $3 end, \
    micro_usd = case when micro_usd + $4 < 0 then 0 when micro_usd + $4 > $5 then $5 else micro_usd + $4 end \
    where budget_id = $1 and period_start = $2";

impl Store {
    /// Creates a budget.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the project or the user has one, [`StoreError::NotFound`] if there is no such
    /// project or user, [`StoreError::Invalid`] if a limit is out of range.
    pub async fn create_budget(&self, budget: &Budget, audit: &NewAuditEvent) -> Result<(), StoreError> {
        budget.limits.check()?;
        let missing = if budget.project_id.is_some() { Resource::Project } else { Resource::User };
        in_transaction!(&self.pool, tx => {
            sqlx::query(concat!(
                "insert into budgets (", budget_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            ))
            .bind(&budget.id).bind(&budget.project_id).bind(&budget.user_id).bind(budget.limits.period.as_str())
            .bind(budget.limits.max_tokens).bind(budget.limits.max_micro_usd).bind(budget.revision)
            .bind(budget.created_at).bind(budget.updated_at)
            .execute(&mut *tx).await
            .map_err(or_missing(missing))?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    pub async fn find_budget(&self, of: BudgetOf<'_>, now: Calendar) -> Result<BudgetState, StoreError> {
        let (project, user) = of.columns();
        let budget: Option<Budget> = on_pool!(&self.pool, db => {
            sqlx::query_as(FIND_BUDGET).bind(project).bind(user).fetch_optional(db).await
        })?;
        let budget = budget.ok_or(StoreError::NotFound { what: Resource::Budget })?;
        let since = now.since(budget.limits.period);
        let used = on_pool!(&self.pool, db => {
            sqlx::query_as(SUM_USE).bind(&budget.id).bind(since).fetch_one(db).await
        })?;
        Ok(BudgetState { budget, used })
    }

    /// Changes the limits of a budget. Its use is kept.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if its revision is not `seen`, [`StoreError::Invalid`] if a limit is out of range.
    pub async fn update_budget(
        &self,
        id: &BudgetId,
        seen: i64,
        limits: &BudgetLimits,
        audit: &NewAuditEvent,
    ) -> Result<Budget, StoreError> {
        limits.check()?;
        Ok(in_transaction!(&self.pool, tx => {
            let changed: Option<Budget> = sqlx::query_as(concat!(
                "update budgets set period = $3, max_tokens = $4, max_micro_usd = $5, revision = revision + 1, ",
                "updated_at = $6 where id = $1 and revision = $2 returning ", budget_columns!()
            ))
            .bind(id).bind(seen).bind(limits.period.as_str()).bind(limits.max_tokens).bind(limits.max_micro_usd)
            .bind(audit.at)
            .fetch_optional(&mut *tx).await?;
            let changed = changed.ok_or(StoreError::Stale { what: Resource::Budget })?;
            record_audit!(tx, audit);
            changed
        }))
    }

    /// Deletes a budget and its use.
    pub async fn delete_budget(&self, id: &BudgetId, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            let gone = sqlx::query("delete from budgets where id = $1").bind(id).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::Budget });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// True if any of these has a budget. Most have none, and a read is cheaper than a transaction.
    async fn has_budgets(&self, of: &[BudgetOf<'_>]) -> Result<bool, StoreError> {
        for of in of {
            let (project, user) = of.columns();
            let found: bool = on_pool!(&self.pool, db => {
                sqlx::query_scalar("select exists (select 1 from budgets where project_id = $1 or user_id = $2)")
                    .bind(project).bind(user).fetch_one(db).await
            })?;
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reserves the maximum cost of a question, in tokens and, if the price is known, in millionths of a US dollar,
    /// from each existing budget: from all of them or from none. Concurrent reservations never exceed a limit. An
    /// exhausted budget is not an error, see [`Reserved`].
    pub async fn reserve_budgets(
        &self,
        of: &[BudgetOf<'_>],
        (tokens, micro_usd): (i64, Option<i64>),
        now: Calendar,
    ) -> Result<Reserved, StoreError> {
        if !self.has_budgets(of).await? {
            return Ok(Reserved::All(Vec::new()));
        }
        let reserved = Spending { tokens, micro_usd: micro_usd.unwrap_or(0) }.bounded();
        Ok(in_transaction!(&self.pool, tx => {
            let mut reservations = Vec::new();
            for of in in_order(of) {
                let (project, user) = of.columns();
                let budget: Option<Budget> =
                    sqlx::query_as(HOLD_BUDGET).bind(project).bind(user).fetch_optional(&mut *tx).await?;
                let Some(budget) = budget else { continue };
                let since = now.since(budget.limits.period);
                let used: Spending =
                    sqlx::query_as(SUM_USE).bind(&budget.id).bind(since).fetch_one(&mut *tx).await?;
                let state = BudgetState { budget, used };
                // Without a commit, earlier reservations of this loop are rolled back.
                if micro_usd.is_none() && state.budget.limits.max_micro_usd.is_some() {
                    return Ok(Reserved::NoPrice(Box::new(state)));
                }
                if !state.has_room_for_tokens(reserved.tokens) || !state.has_room_for_micro_usd(reserved.micro_usd) {
                    return Ok(Reserved::Refused(Box::new(state)));
                }
                sqlx::query(ADD_USE)
                    .bind(&state.budget.id).bind(now.day).bind(reserved.tokens).bind(reserved.micro_usd)
                    .execute(&mut *tx).await?;
                reservations.push(Reservation { budget_id: state.budget.id, day: now.day, since, reserved });
            }
            Reserved::All(reservations)
        }))
    }

    /// Replaces a reservation by the real cost, on the day of the reservation, even if it is larger. Returns the
    /// budgets in the period of the reservation; budgets deleted meanwhile are left out.
    ///
    /// # Errors
    /// After an error of the database, the reservation stays counted.
    pub async fn settle_budgets(
        &self,
        reservations: &[Reservation],
        spent: Spending,
    ) -> Result<Vec<BudgetState>, StoreError> {
        let spent = spent.bounded();
        Ok(in_transaction!(&self.pool, tx => {
            let mut states = Vec::new();
            for Reservation { budget_id, day, since, reserved } in reservations {
                sqlx::query(CORRECT_USE)
                    .bind(budget_id).bind(*day)
                    .bind(spent.tokens - reserved.tokens).bind(spent.micro_usd - reserved.micro_usd)
                    .bind(MAX_SPENDING)
                    .execute(&mut *tx).await?;
                let budget: Option<Budget> =
                    sqlx::query_as(concat!("select ", budget_columns!(), " from budgets where id = $1"))
                        .bind(budget_id).fetch_optional(&mut *tx).await?;
                let Some(budget) = budget else { continue };
                let used = sqlx::query_as(SUM_USE).bind(budget_id).bind(*since).fetch_one(&mut *tx).await?;
                states.push(BudgetState { budget, used });
            }
            states
        }))
    }
}

/// Projects first: one lock order for all transactions rules out deadlocks.
fn in_order<'a>(of: &[BudgetOf<'a>]) -> Vec<BudgetOf<'a>> {
    let mut of = of.to_vec();
    of.sort_unstable();
    of
}
