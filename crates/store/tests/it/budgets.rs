//! Budgets, on both databases: never overspent by concurrent requests, and the use is exactly the sum of settled and
//! reserved amounts.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::{
    Budget, BudgetId, BudgetLimits, BudgetOf, BudgetPeriod, BudgetState, Calendar, ConnectOptions,
    Constraint, Field, NewUser, ProjectId, Reserved, Resource, Spending, Store, StoreError, TimeUs, UserId,
};

use crate::databases::{NOON, PostgresDatabase, SqliteFile, an_event, migrated, project};

const DAY_US: i64 = 86_400_000_000;

/// Runs a test on every available database, which has only empty tables.
pub(crate) async fn on_both(test: impl AsyncFn(Store, &str)) {
    let file = SqliteFile::new();
    test(file.migrated().await, &file.url()).await;
    if let Some(database) = PostgresDatabase::new().await {
        test(migrated(&database.url()).await, &database.url()).await;
        database.drop().await;
    }
}

/// A day, counted from 0, of a month that starts with day 0.
fn on_day(day: i64) -> Calendar {
    let at = |day: i64| TimeUs::from_micros(NOON.as_micros() + day * DAY_US);
    Calendar { day: at(day), month: at(0) }
}

fn limits(period: BudgetPeriod, max_tokens: Option<i64>, max_micro_usd: Option<i64>) -> BudgetLimits {
    BudgetLimits { period, max_tokens, max_micro_usd }
}

fn spending(tokens: i64, micro_usd: i64) -> Spending {
    Spending { tokens, micro_usd }
}

/// A budget of the default project.
async fn of_project(store: &Store, limits: BudgetLimits) -> Budget {
    make(store, "b-project", Some(ProjectId::default_project()), None, limits).await.unwrap()
}

async fn make(
    store: &Store,
    id: &str,
    project_id: Option<ProjectId>,
    user_id: Option<UserId>,
    limits: BudgetLimits,
) -> Result<Budget, StoreError> {
    let id = BudgetId::parse(id).unwrap();
    let budget = Budget { id, project_id, user_id, limits, revision: 1, created_at: NOON, updated_at: NOON };
    store.create_budget(&budget, &an_event("budget.set", budget.id.as_str(), 0)).await?;
    Ok(budget)
}

pub(crate) async fn a_user(store: &Store, id: &str) -> UserId {
    let id = UserId::parse(id).unwrap();
    let user = NewUser {
        id: id.clone(),
        email: format!("{id}@example.com"),
        name: id.to_string(),
        password_hash: None,
        admin: false,
        verified_at: None,
        created_at: NOON,
        project_id: ProjectId::parse(format!("p-{id}")).unwrap(),
        project_name: "Theirs".into(),
        must_be_first: false,
        must_be_invited: false,
        identity: None,
    };
    store.create_user(&user, &an_event("user.create", id.as_str(), 0)).await.unwrap();
    id
}

async fn used(store: &Store, of: BudgetOf<'_>, now: Calendar) -> Spending {
    store.find_budget(of, now).await.unwrap().used
}

#[tokio::test]
async fn budget_is_created_updated_and_deleted() {
    on_both(async |store, _| {
        let project = ProjectId::default_project();
        let of = BudgetOf::Project(&project);
        let missing = Err(StoreError::NotFound { what: Resource::Budget });
        assert_eq!(store.find_budget(of, on_day(0)).await, missing);
        let made = of_project(&store, limits(BudgetPeriod::Day, Some(100), None)).await;
        let found = store.find_budget(of, on_day(0)).await.unwrap();
        assert_eq!(found, BudgetState { budget: made.clone(), used: spending(0, 0) });

        let again = make(&store, "b-2", Some(project.clone()), None, made.limits).await;
        assert_eq!(again, Err(StoreError::Conflict { constraint: Constraint::ProjectBudget }));
        let unknown_user = UserId::parse("usr-lost").unwrap();
        let lost = make(&store, "b-2", None, Some(unknown_user), made.limits).await;
        assert_eq!(lost, Err(StoreError::NotFound { what: Resource::User }));
        let wrong = StoreError::Invalid { what: Field::BudgetLimit };
        for nonsense in [(None, None), (Some(-1), None), (None, Some(i64::MAX))] {
            let limits = limits(BudgetPeriod::Day, nonsense.0, nonsense.1);
            assert_eq!(make(&store, "b-2", Some(project.clone()), None, limits).await, Err(wrong.clone()));
        }

        // The use is preserved, also in a longer period; use from before a shorter period does not count.
        store.reserve_budgets(&[of], (40, None), on_day(0)).await.unwrap();
        store.reserve_budgets(&[of], (30, None), on_day(1)).await.unwrap();
        assert_eq!(used(&store, of, on_day(1)).await, spending(30, 0));
        let event = an_event("budget.set", "b-project", 1);
        let month = limits(BudgetPeriod::Month, Some(60), None);
        let changed = store.update_budget(&made.id, 1, &month, &event).await.unwrap();
        assert_eq!((changed.limits, changed.revision, changed.updated_at), (month, 2, event.at));
        assert_eq!(used(&store, of, on_day(1)).await, spending(70, 0));
        let refused = store.reserve_budgets(&[of], (1, None), on_day(1)).await.unwrap();
        assert!(matches!(refused, Reserved::Refused(_)), "{refused:?}");
        let stale = store.update_budget(&made.id, 1, &month, &an_event("budget.set", "b-project", 2)).await;
        assert_eq!(stale, Err(StoreError::Stale { what: Resource::Budget }));

        store.delete_budget(&made.id, &an_event("budget.delete", "b-project", 3)).await.unwrap();
        assert_eq!(store.find_budget(of, on_day(1)).await, missing);
        let gone = store.delete_budget(&made.id, &an_event("budget.delete", "b-project", 4)).await;
        assert_eq!(gone, Err(StoreError::NotFound { what: Resource::Budget }));
        let free = store.reserve_budgets(&[of], (i64::MAX, None), on_day(1)).await.unwrap();
        assert_eq!(free, Reserved::All(Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn reservation_is_atomic_over_budgets() {
    on_both(async |store, _| {
        let project = ProjectId::default_project();
        let user = a_user(&store, "usr-ada").await;
        let of = [BudgetOf::User(&user), BudgetOf::Project(&project)];
        of_project(&store, limits(BudgetPeriod::Total, Some(100), Some(1000))).await;
        let small = limits(BudgetPeriod::Day, Some(50), None);
        make(&store, "b-user", None, Some(user.clone()), small).await.unwrap();

        let refused = store.reserve_budgets(&of, (51, Some(1)), on_day(0)).await.unwrap();
        let Reserved::Refused(state) = refused else { panic!("{refused:?}") };
        assert_eq!((state.budget.user_id.as_ref(), state.used), (Some(&user), spending(0, 0)));
        assert_eq!(
            used(&store, of[1], on_day(0)).await,
            spending(0, 0),
            "the project has no reservation either"
        );
        let refused = store.reserve_budgets(&of, (50, Some(1001)), on_day(0)).await.unwrap();
        let Reserved::Refused(state) = refused else { panic!("{refused:?}") };
        assert_eq!(state.budget.project_id.as_ref(), Some(&project));
        let unpriced = store.reserve_budgets(&of, (50, None), on_day(0)).await.unwrap();
        assert!(matches!(unpriced, Reserved::NoPrice(_)), "{unpriced:?}");
        assert!(matches!(
            store.reserve_budgets(&of[..1], (50, None), on_day(0)).await.unwrap(),
            Reserved::All(held) if held.len() == 1
        ));

        // A reservation is settled in its own period, even later; an amount above the reservation counts, too.
        let Reserved::All(held) = store.reserve_budgets(&of, (50, Some(10)), on_day(1)).await.unwrap() else {
            panic!("there was room")
        };
        let states = store.settle_budgets(&held, spending(70, 15)).await.unwrap();
        let settled: Vec<_> =
            states.iter().map(|state| (state.budget.project_id.is_some(), state.used)).collect();
        assert_eq!(settled, [(true, spending(70, 15)), (false, spending(70, 15))]);
        assert_eq!(used(&store, of[0], on_day(1)).await, spending(70, 15));
        assert_eq!(used(&store, of[0], on_day(2)).await, spending(0, 0));
        assert_eq!(used(&store, of[1], on_day(2)).await, spending(70, 15));

        // Amounts claimed by a vendor cannot overflow the counter.
        let Reserved::All(held) = store.reserve_budgets(&of[..1], (1, None), on_day(3)).await.unwrap() else {
            panic!("there was room")
        };
        let claimed = spending(i64::MAX, -1);
        store.settle_budgets(&held, claimed).await.unwrap();
        store.settle_budgets(&held, claimed).await.unwrap();
        assert_eq!(used(&store, of[0], on_day(3)).await, spending(store::MAX_SPENDING, 0));
        store.settle_budgets(&held, spending(0, 0)).await.unwrap();
        // A deleted budget is not charged.
        let budget = store.find_budget(of[0], on_day(3)).await.unwrap().budget;
        store.delete_budget(&budget.id, &an_event("budget.delete", budget.id.as_str(), 0)).await.unwrap();
        assert_eq!(store.settle_budgets(&held, spending(1, 1)).await.unwrap(), []);
        // The budget of a deleted user is deleted too.
        make(&store, "b-user-2", None, Some(user.clone()), small).await.unwrap();
        store.delete_user(&user, &an_event("user.delete", user.as_str(), 0)).await.unwrap();
        assert_eq!(
            store.find_budget(of[0], on_day(3)).await,
            Err(StoreError::NotFound { what: Resource::Budget })
        );
    })
    .await;
}

/// 200 concurrent reservations from two stores fill the budget to the last token, and never beyond.
#[tokio::test(flavor = "multi_thread")]
async fn budget_is_never_overspent() {
    on_both(async |store, url| {
        const ASKED: i64 = 200;
        let project = ProjectId::default_project();
        let user = a_user(&store, "usr-ada").await;
        let other = Store::connect(url, &ConnectOptions::default()).await.unwrap();
        // Room for 60 requests in the project and for 45 of the user, who sends every second one.
        of_project(&store, limits(BudgetPeriod::Month, Some(60 * 7 + 6), None)).await;
        let few = limits(BudgetPeriod::Day, None, Some(45 * 3 + 2));
        make(&store, "b-user", None, Some(user.clone()), few).await.unwrap();
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..ASKED {
            let store = if number % 3 == 0 { other.clone() } else { store.clone() };
            let (project, user) = (project.clone(), user.clone());
            asking.spawn(async move {
                // In both orders: the store uses a fixed order.
                let of = match number % 4 {
                    0 => vec![BudgetOf::User(&user), BudgetOf::Project(&project)],
                    1 => vec![BudgetOf::Project(&project), BudgetOf::User(&user)],
                    _ => vec![BudgetOf::Project(&project)],
                };
                let personal = of.len() == 2;
                match store.reserve_budgets(&of, (7, Some(3)), on_day(0)).await.unwrap() {
                    Reserved::All(held) => {
                        assert_eq!(held.len(), of.len());
                        (true, personal)
                    }
                    Reserved::Refused(state) => {
                        // Every refusal is correct: the refusing budget has no room for this request.
                        let full = if state.budget.user_id.is_some() {
                            state.used.micro_usd + 3 > 45 * 3 + 2
                        } else {
                            state.used.tokens + 7 > 60 * 7 + 6
                        };
                        assert!(full, "{state:?}");
                        (false, personal)
                    }
                    Reserved::NoPrice(state) => panic!("{state:?}"),
                }
            });
        }
        let outcomes = asking.join_all().await;
        let asked = outcomes.iter().filter(|(asked, _)| *asked).count() as i64;
        let personal = outcomes.iter().filter(|outcome| **outcome == (true, true)).count() as i64;
        assert_eq!(asked, 60, "every request for which there is room");
        assert!(personal <= 45, "{personal}");
        assert_eq!(
            used(&store, BudgetOf::Project(&project), on_day(0)).await,
            spending(asked * 7, asked * 3)
        );
        assert_eq!(
            used(&other, BudgetOf::User(&user), on_day(0)).await,
            spending(personal * 7, personal * 3)
        );
        other.close().await;
    })
    .await;
}

/// Concurrent reserving, settling and updating, with budgets that are created and deleted, does not deadlock.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_reserve_settle_and_delete_do_not_deadlock() {
    on_both(async |store, url| {
        let project = ProjectId::default_project();
        let user = a_user(&store, "usr-ada").await;
        let other = Store::connect(url, &ConnectOptions::default()).await.unwrap();
        of_project(&store, limits(BudgetPeriod::Month, Some(1_000_000), None)).await;
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..24 {
            let store = if number % 2 == 0 { other.clone() } else { store.clone() };
            let (project, user) = (project.clone(), user.clone());
            asking.spawn(async move {
                let of = [BudgetOf::User(&user), BudgetOf::Project(&project)];
                let mut spent = 0;
                for turn in 0..4 {
                    if number == 0 {
                        let id = format!("b-user-{turn}");
                        let few = limits(BudgetPeriod::Day, Some(1_000_000), None);
                        let made = make(&store, &id, None, Some(user.clone()), few).await.unwrap();
                        let event = an_event("budget.delete", &id, 0);
                        store.delete_budget(&made.id, &event).await.unwrap();
                        continue;
                    }
                    let reserved = store.reserve_budgets(&of, (100, None), on_day(turn)).await.unwrap();
                    let Reserved::All(held) = reserved else { panic!("{reserved:?}") };
                    store.settle_budgets(&held, spending(number, 0)).await.unwrap();
                    spent += number;
                }
                spent
            });
        }
        let spent: i64 = asking.join_all().await.into_iter().sum();
        assert_eq!(used(&store, BudgetOf::Project(&project), on_day(3)).await, spending(spent, 0));
        other.close().await;
    })
    .await;
}

/// One operation on a budget.
#[derive(Debug, Clone)]
enum Act {
    Reserve {
        tokens: i64,
        micro_usd: i64,
    },
    /// Settles one of the open reservations, if any.
    Settle {
        which: usize,
        tokens: i64,
        micro_usd: i64,
    },
    NextDay,
    Change {
        period: BudgetPeriod,
        max_tokens: Option<i64>,
        max_micro_usd: i64,
    },
}

fn an_act() -> impl Strategy<Value = Act> {
    let period = prop::sample::select(BudgetPeriod::ALL.to_vec());
    prop_oneof![
        5 => (0..60_i64, 0..60_i64).prop_map(|(tokens, micro_usd)| Act::Reserve { tokens, micro_usd }),
        4 => (any::<usize>(), 0..90_i64, 0..90_i64)
            .prop_map(|(which, tokens, micro_usd)| Act::Settle { which, tokens, micro_usd }),
        1 => Just(Act::NextDay),
        1 => (period, prop::option::of(0..200_i64), 0..200_i64)
            .prop_map(|(period, max_tokens, max_micro_usd)| Act::Change { period, max_tokens, max_micro_usd }),
    ]
}

/// After any sequence of operations, a budget equals the sum over a list of all requests.
#[test]
fn budget_use_is_the_sum_of_its_reservations() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Generated here and run below: the runner of the crate is not asynchronous.
    let mut runner = TestRunner::default();
    let acts = prop::collection::vec(an_act(), 1..60);
    let drawn: Vec<Vec<Act>> = (0..12).map(|_| acts.new_tree(&mut runner).unwrap().current()).collect();
    runtime.block_on(on_both(async |store, _| {
        for (case, acts) in drawn.iter().enumerate() {
            let project = project(&format!("p-{case}"));
            store.ensure_project(&project, "P", NOON).await.unwrap();
            play(&store, &project, acts).await;
        }
    }));
}

async fn play(store: &Store, project: &ProjectId, acts: &[Act]) {
    let of = BudgetOf::Project(project);
    let mut limits = limits(BudgetPeriod::Day, Some(150), Some(150));
    let id = format!("b-{project}");
    let mut budget = make(store, &id, Some(project.clone()), None, limits).await.unwrap();
    let mut day = 0;
    // All requests: the day, the booked amount, and the open reservation.
    let mut questions: Vec<(i64, Spending, Option<Vec<store::Reservation>>)> = Vec::new();
    let sum = |questions: &[(i64, Spending, Option<Vec<store::Reservation>>)], period, day: i64| {
        let since = match period {
            BudgetPeriod::Day => day,
            BudgetPeriod::Month | BudgetPeriod::Total => 0,
        };
        let counted = questions.iter().filter(|(on, ..)| *on >= since);
        counted.fold(spending(0, 0), |sum, (_, booked, _)| {
            spending(sum.tokens + booked.tokens, sum.micro_usd + booked.micro_usd)
        })
    };
    for act in acts {
        match *act {
            Act::Reserve { tokens, micro_usd } => {
                let before = sum(&questions, limits.period, day);
                let fits =
                    |used: i64, more: i64, limit: Option<i64>| limit.is_none_or(|limit| used + more <= limit);
                let room = fits(before.tokens, tokens, limits.max_tokens)
                    && fits(before.micro_usd, micro_usd, limits.max_micro_usd);
                match store.reserve_budgets(&[of], (tokens, Some(micro_usd)), on_day(day)).await.unwrap() {
                    Reserved::All(held) if room => {
                        questions.push((day, spending(tokens, micro_usd), Some(held)))
                    }
                    Reserved::Refused(state) if !room => assert_eq!(state.used, before),
                    other => panic!("{other:?} though room is {room}: {acts:?}"),
                }
            }
            Act::Settle { which, tokens, micro_usd } => {
                let mut waiting: Vec<_> = questions.iter_mut().filter(|(.., held)| held.is_some()).collect();
                if waiting.is_empty() {
                    continue;
                }
                let which = which % waiting.len();
                let (_, booked, held) = &mut *waiting[which];
                let spent = spending(tokens, micro_usd);
                store.settle_budgets(&held.take().unwrap(), spent).await.unwrap();
                *booked = spent;
            }
            Act::NextDay => day += 1,
            Act::Change { period, max_tokens, max_micro_usd } => {
                limits = BudgetLimits { period, max_tokens, max_micro_usd: Some(max_micro_usd) };
                let event = an_event("budget.set", &id, 0);
                budget = store.update_budget(&budget.id, budget.revision, &limits, &event).await.unwrap();
            }
        }
        let now = used(store, of, on_day(day)).await;
        assert_eq!(now, sum(&questions, limits.period, day), "after {act:?} of {acts:?}");
    }
}
