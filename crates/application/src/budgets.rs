//! Budgets of projects and users: limits, usage and renewal. Owners set the budget of a project, administrators that
//! of a user.
//!
//! Spending is in `generate/budget_guard.rs`.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime};
use serde_json::json;
use store::{
    Budget, BudgetId, BudgetLimits, BudgetOf, BudgetPeriod, BudgetState, Calendar, MAX_SPENDING, ProjectId,
    Role, Spending, StoreError, TimeUs, UserId,
};

use super::{
    Error,
    access::{Caller, Scope, authorize_project, authorize_project_any_state, project_id, store},
};
use crate::app::App;

#[derive(Debug, Clone)]
pub enum Owner {
    Me,
    User(String),
    Project(String),
}

/// Limits of a budget, not yet validated.
#[derive(Debug, Clone)]
pub struct BudgetInput {
    pub period: String,
    /// Input and output tokens together.
    pub max_tokens: Option<i64>,
    /// Millionths of a US dollar.
    pub max_micro_usd: Option<i64>,
}

/// Precondition of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// No budget exists.
    None,
    /// A budget exists, of this revision if given.
    Some(Option<i64>),
}

/// A budget with its usage in the current period.
#[derive(Debug, Clone)]
pub struct BudgetStatus {
    pub budget: Budget,
    /// Used, with open reservations.
    pub used: Spending,
    /// Start of the period.
    pub since: TimeUs,
    /// End of the period; `None` for a total budget.
    pub renews_at: Option<TimeUs>,
}

impl BudgetStatus {
    fn from_state(state: BudgetState, now: TimeUs) -> Self {
        let BudgetState { budget, used } = state;
        let since = match budget.limits.period {
            // Usage is counted from the creation of the budget.
            BudgetPeriod::Total => budget.created_at,
            period => calendar(now).since(period),
        };
        BudgetStatus { used, since, renews_at: renews_at(budget.limits.period, now), budget }
    }

    pub fn remaining_tokens(&self) -> Option<i64> {
        self.budget.limits.max_tokens.map(|limit| limit.saturating_sub(self.used.tokens).max(0))
    }

    pub fn remaining_micro_usd(&self) -> Option<i64> {
        self.budget.limits.max_micro_usd.map(|limit| limit.saturating_sub(self.used.micro_usd).max(0))
    }
}

fn date(at: TimeUs) -> NaiveDate {
    // Years beyond 262,000 have no date.
    DateTime::from_timestamp_micros(at.as_micros()).unwrap_or_default().date_naive()
}

fn midnight(date: NaiveDate) -> TimeUs {
    TimeUs::from_micros(date.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
}

/// Day and month of a time, in UTC.
pub(super) fn calendar(now: TimeUs) -> Calendar {
    let today = date(now);
    Calendar { day: midnight(today), month: midnight(today.with_day(1).unwrap_or(today)) }
}

/// End of the period that contains a time.
pub(super) fn renews_at(period: BudgetPeriod, now: TimeUs) -> Option<TimeUs> {
    let today = date(now);
    let next = match period {
        BudgetPeriod::Day => today.succ_opt(),
        BudgetPeriod::Month => today.with_day(1)?.checked_add_months(Months::new(1)),
        BudgetPeriod::Total => None,
    };
    next.map(midnight)
}

/// Formats millionths of a US dollar.
pub fn dollars(micro_usd: i64) -> String {
    let text = format!("{}.{:06}", micro_usd / 1_000_000, micro_usd % 1_000_000);
    // Always cents; smaller fractions only if they are not zero.
    let (whole, small) = text.split_at(text.len() - 4);
    format!("${whole}{}", small.trim_end_matches('0'))
}

enum AuthorizedOwner {
    User(UserId),
    Project(ProjectId),
}

impl AuthorizedOwner {
    fn as_ref(&self) -> BudgetOf<'_> {
        match self {
            AuthorizedOwner::User(user) => BudgetOf::User(user),
            AuthorizedOwner::Project(project) => BudgetOf::Project(project),
        }
    }

    fn project(&self) -> Option<&ProjectId> {
        match self {
            AuthorizedOwner::User(_) => None,
            AuthorizedOwner::Project(project) => Some(project),
        }
    }

    fn user(&self) -> Option<&UserId> {
        match self {
            AuthorizedOwner::User(user) => Some(user),
            AuthorizedOwner::Project(_) => None,
        }
    }
}

async fn find_user(app: &App, caller: &Caller, id: &str) -> Result<AuthorizedOwner, Error> {
    caller.require_admin()?;
    let id = UserId::parse(id).map_err(|_| Error::NotFound("user"))?;
    Ok(AuthorizedOwner::User(store(app)?.find_user(&id).await?.id))
}

/// Checks that the caller may read a budget.
async fn authorize_read(app: &App, caller: &Caller, owner: &Owner) -> Result<AuthorizedOwner, Error> {
    match owner {
        Owner::Me => Ok(AuthorizedOwner::User(caller.require_account()?.id.clone())),
        Owner::User(user) => find_user(app, caller, user).await,
        Owner::Project(project) => {
            let access =
                authorize_project_any_state(app, caller, &project_id(project)?, Role::Editor).await?;
            Ok(AuthorizedOwner::Project(access.project.id))
        }
    }
}

/// Checks that the caller may change a budget.
async fn authorize_update(app: &App, caller: &Caller, owner: &Owner) -> Result<AuthorizedOwner, Error> {
    caller.require_scope(Scope::Account)?;
    match owner {
        Owner::Me => find_user(app, caller, caller.require_account()?.id.as_str()).await,
        Owner::User(user) => find_user(app, caller, user).await,
        Owner::Project(project) => {
            let access = authorize_project(app, caller, &project_id(project)?, Role::Owner).await?;
            Ok(AuthorizedOwner::Project(access.project.id))
        }
    }
}

pub async fn find_budget(app: &App, caller: &Caller, owner: &Owner) -> Result<BudgetStatus, Error> {
    let access = authorize_read(app, caller, owner).await?;
    let now = app.clock.now_us();
    Ok(BudgetStatus::from_state(store(app)?.find_budget(access.as_ref(), calendar(now)).await?, now))
}

fn limits(wanted: &BudgetInput) -> Result<BudgetLimits, Error> {
    let period = BudgetPeriod::try_from(wanted.period.clone())
        .map_err(|_| Error::invalid("period", "The period is unknown. Use `day`, `month` or `total`."))?;
    if wanted.max_tokens.is_none() && wanted.max_micro_usd.is_none() {
        return Err(Error::invalid(
            "max_tokens",
            "The budget has no limit. Set `max_tokens`, `max_micro_usd` or both, or delete the budget.",
        ));
    }
    for (path, limit) in [("max_tokens", wanted.max_tokens), ("max_micro_usd", wanted.max_micro_usd)] {
        if limit.is_some_and(|limit| !(0..=MAX_SPENDING).contains(&limit)) {
            return Err(Error::invalid(
                path,
                format!("A limit must be a whole number from 0 to {MAX_SPENDING}."),
            ));
        }
    }
    Ok(BudgetLimits { period, max_tokens: wanted.max_tokens, max_micro_usd: wanted.max_micro_usd })
}

/// Creates a budget or changes its limits, if the precondition holds. Usage is kept. Returns whether the budget is
/// new.
pub async fn set_budget(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    wanted: &BudgetInput,
    known: Precondition,
) -> Result<(BudgetStatus, bool), Error> {
    let access = authorize_update(app, caller, owner).await?;
    let limits = limits(wanted)?;
    let store = store(app)?;
    let now = app.clock.now_us();
    let details = json!({
        "user": access.user().map(UserId::as_str),
        "period": limits.period.as_str(),
        "max_tokens": limits.max_tokens,
        "max_micro_usd": limits.max_micro_usd,
    });
    let audit_event =
        |id: &BudgetId| caller.audit_event(app, "budget.set", access.project(), id.as_str(), &details);
    match known {
        Precondition::None => {
            let budget = Budget {
                id: BudgetId::parse(app.clock.new_id("bud"))?,
                project_id: access.project().cloned(),
                user_id: access.user().cloned(),
                limits,
                revision: 1,
                created_at: now,
                updated_at: now,
            };
            store.create_budget(&budget, &audit_event(&budget.id)?).await.map_err(|error| match error {
                StoreError::Conflict { .. } => Error::RevisionMismatch(
                    "The budget already exists. Read it, then send its `ETag` as `If-Match`.".to_owned(),
                ),
                other => other.into(),
            })?;
        }
        Precondition::Some(expected_revision) => {
            let old =
                store.find_budget(access.as_ref(), calendar(now)).await.map_err(|error| match error {
                    StoreError::NotFound { .. } => Error::RevisionMismatch(
                        "There is no budget to change. Omit `If-Match` to create one.".to_owned(),
                    ),
                    other => other.into(),
                })?;
            let old = old.budget;
            store
                .update_budget(
                    &old.id,
                    expected_revision.unwrap_or(old.revision),
                    &limits,
                    &audit_event(&old.id)?,
                )
                .await?;
        }
    }
    let state = store.find_budget(access.as_ref(), calendar(now)).await?;
    Ok((BudgetStatus::from_state(state, now), known == Precondition::None))
}

/// Deletes a budget and its usage: spending is unlimited afterwards.
pub async fn delete_budget(app: &App, caller: &Caller, owner: &Owner) -> Result<(), Error> {
    let access = authorize_update(app, caller, owner).await?;
    let store = store(app)?;
    let state = store.find_budget(access.as_ref(), calendar(app.clock.now_us())).await?;
    let id = state.budget.id;
    let details = json!({"user": access.user().map(UserId::as_str)});
    let event = caller.audit_event(app, "budget.delete", access.project(), id.as_str(), &details)?;
    Ok(store.delete_budget(&id, &event).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::rfc3339;

    #[track_caller]
    fn check(now: &str, day: &str, month: &str, tomorrow: &str, next_month: &str) {
        let now = DateTime::parse_from_rfc3339(now).expect("a time").timestamp_micros();
        let now = TimeUs::from_micros(now);
        let calendar = calendar(now);
        let renews = |period| renews_at(period, now).map(rfc3339).unwrap_or_default();
        assert_eq!(
            [
                rfc3339(calendar.day),
                rfc3339(calendar.month),
                renews(BudgetPeriod::Day),
                renews(BudgetPeriod::Month)
            ],
            [day, month, tomorrow, next_month].map(|date| format!("{date}T00:00:00.000Z"))
        );
        assert_eq!(renews_at(BudgetPeriod::Total, now), None);
    }

    #[test]
    fn budget_periods_follow_the_calendar() {
        check("2027-01-15T08:00:00Z", "2027-01-15", "2027-01-01", "2027-01-16", "2027-02-01");
        check("2027-01-31T23:59:59.999999Z", "2027-01-31", "2027-01-01", "2027-02-01", "2027-02-01");
        check("2028-02-29T00:00:00Z", "2028-02-29", "2028-02-01", "2028-03-01", "2028-03-01");
        check("2027-12-31T12:00:00Z", "2027-12-31", "2027-12-01", "2028-01-01", "2028-01-01");
    }

    #[test]
    fn dollars_are_formatted() {
        for (micro_usd, text) in [
            (0, "$0.00"),
            (1, "$0.000001"),
            (1_500_000, "$1.50"),
            (12_345_600, "$12.3456"),
            (990_000, "$0.99"),
        ] {
            assert_eq!(dollars(micro_usd), text);
        }
    }
}
