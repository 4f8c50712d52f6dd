//! Jobs of several users: no user occupies every worker.

use store::{JobEnd, JobId, JobKind, NewAuditEvent, UserId};

use crate::{
    budgets::{a_user, on_both},
    databases::{NOON, an_event},
};

#[tokio::test]
async fn jobs_of_one_user_are_limited() {
    on_both(async |store, _| {
        let (busy, other) = (a_user(&store, "usr-busy").await, a_user(&store, "usr-other").await);
        let jobs: [(&str, &UserId); 5] =
            [("b1", &busy), ("b2", &busy), ("b3", &busy), ("b4", &busy), ("o1", &other)];
        for (seconds, (id, person)) in (0..).zip(jobs) {
            let event =
                NewAuditEvent { user_id: Some(person.clone()), ..an_event("job.create", id, seconds) };
            let id = JobId::parse(id).unwrap();
            store.create_job(&id, JobKind::Generate, None, "x", &event).await.unwrap();
        }
        let now = NOON.plus_seconds(60);
        let take = async |worker: &str, now| {
            let taken = store.take_job(worker, now, NOON.plus_seconds(120), 2).await.unwrap();
            taken.map(|job| job.id.to_string())
        };
        assert_eq!(take("w1", now).await.as_deref(), Some("b1"));
        assert_eq!(take("w2", now).await.as_deref(), Some("b2"));
        assert_eq!(
            take("w3", now).await.as_deref(),
            Some("o1"),
            "the job passes two jobs that were created earlier"
        );
        assert_eq!(take("w4", now).await, None, "two jobs of one user are running");
        let done = JobEnd::Done("done".to_owned());
        assert!(store.end_job(&JobId::parse("b1").unwrap(), "w1", now, &done).await.unwrap());
        assert_eq!(take("w5", now).await.as_deref(), Some("b3"));
        assert!(take("w6", NOON.plus_seconds(121)).await.is_some(), "expired leases do not count");
    })
    .await;
}
