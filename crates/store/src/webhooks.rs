//! Webhooks: who is told of what happens in a project, and what became of it. Never sends anything and never opens a secret.
//!
//! What is to be told is written as a job in the transaction of the change itself (`audit.rs`).

use crate::audit::keep_audit;
use crate::error::or_missing;
use crate::folders::lock_project;
use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{
    AuditEventId, DataKeyId, DeliveryId, NewAuditEvent, Page, PageRequest, ProjectId, Store, StoreError,
    TimeUs, UserId, WebhookId,
};

/// A project has at most so many webhooks.
pub const MAX_WEBHOOKS: i64 = 20;

/// Who is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Of which project.
    pub project_id: ProjectId,
    /// Where.
    pub url: String,
    /// Of what: actions of audit events separated by spaces, or `*`.
    pub events: String,
    /// What the secret is sealed with.
    pub data_key_id: DataKeyId,
    /// The secret that signs, sealed.
    pub sealed: String,
    /// Up by one with each change.
    pub revision: i64,
    /// Since when nobody is told.
    pub disabled_at: Option<TimeUs>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: TimeUs,
    /// When it was last changed.
    pub updated_at: TimeUs,
}

row!(Webhook {
    id,
    project_id,
    url,
    events,
    data_key_id,
    sealed,
    revision,
    disabled_at,
    created_by,
    created_at,
    updated_at
});

/// What became of one attempt to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Who was told.
    pub webhook_id: WebhookId,
    /// Of what.
    pub event_id: AuditEventId,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<i64>,
    /// Why it failed, if it did.
    pub problem: Option<String>,
    /// How long it took, in microseconds.
    pub duration_us: i64,
    /// When.
    pub created_at: TimeUs,
}

row!(Delivery { id, webhook_id, event_id, attempt as i64, status, problem, duration_us, created_at });

macro_rules! webhook_columns {
    () => {
        "id, project_id, url, events, data_key_id, sealed, revision, disabled_at, created_by, created_at, updated_at"
    };
}

macro_rules! delivery_columns {
    () => {
        "id, webhook_id, event_id, attempt, status, problem, duration_us, created_at"
    };
}

impl Store {
    /// Keeps a webhook; it is told of what happens from now on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such project, [`StoreError::Full`] if it has [`MAX_WEBHOOKS`] already.
    pub async fn create_webhook(&self, webhook: &Webhook, audit: &NewAuditEvent) -> Result<(), StoreError> {
        check_text("url", &webhook.url)?;
        in_transaction!(&self.pool, tx => {
            // Under the lock, so that webhooks that are made at once are counted one after the other.
            lock_project!(tx, &webhook.project_id);
            let count: i64 = sqlx::query_scalar("select count(*) from webhooks where project_id = $1")
                .bind(&webhook.project_id).fetch_one(&mut *tx).await?;
            if count >= MAX_WEBHOOKS {
                return Err(StoreError::Full { what: "webhooks", most: MAX_WEBHOOKS });
            }
            sqlx::query(concat!(
                "insert into webhooks (", webhook_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
            ))
            .bind(&webhook.id).bind(&webhook.project_id).bind(&webhook.url).bind(&webhook.events)
            .bind(&webhook.data_key_id).bind(&webhook.sealed).bind(webhook.revision).bind(webhook.disabled_at)
            .bind(&webhook.created_by).bind(webhook.created_at).bind(webhook.updated_at)
            .execute(&mut *tx).await
            .map_err(or_missing("project"))?;
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// One webhook.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_webhook(&self, id: &WebhookId) -> Result<Webhook, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", webhook_columns!(), " from webhooks where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "webhook" })
    }

    /// The webhooks of a project, last made first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_webhooks(
        &self,
        project: &ProjectId,
        page: &PageRequest,
    ) -> Result<Page<Webhook>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Webhook> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", webhook_columns!(), " from webhooks where project_id = $1 \
                 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4"
            ))
            .bind(project).bind(at).bind(id).bind(page.rows_to_fetch()).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Changes a webhook (`url`, `events`, the sealed secret, `disabled_at`) whose revision is still that of `webhook`.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if it is not.
    pub async fn update_webhook(
        &self,
        webhook: &Webhook,
        audit: &NewAuditEvent,
    ) -> Result<Webhook, StoreError> {
        check_text("url", &webhook.url)?;
        Ok(in_transaction!(&self.pool, tx => {
            let changed: Option<Webhook> = sqlx::query_as(concat!(
                "update webhooks set url = $3, events = $4, data_key_id = $5, sealed = $6, disabled_at = $7, \
                 updated_at = $8, revision = revision + 1 where id = $1 and revision = $2 returning ",
                webhook_columns!()
            ))
            .bind(&webhook.id).bind(webhook.revision).bind(&webhook.url).bind(&webhook.events)
            .bind(&webhook.data_key_id).bind(&webhook.sealed).bind(webhook.disabled_at).bind(audit.at)
            .fetch_optional(&mut *tx).await?;
            let changed = changed.ok_or(StoreError::Stale { what: "webhook" })?;
            keep_audit!(tx, audit);
            changed
        }))
    }

    /// Forgets a webhook and what became of its deliveries.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_webhook(&self, id: &WebhookId, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            let gone = sqlx::query("delete from webhooks where id = $1").bind(id).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: "webhook" });
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// Some webhooks whose secrets are not sealed with a data key, to seal them anew.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_webhooks_sealed_otherwise(&self, id: &DataKeyId) -> Result<Vec<Webhook>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", webhook_columns!(), " from webhooks where data_key_id <> $1 order by id limit 200"
            ))
            .bind(id).fetch_all(db).await
        })?)
    }

    /// Seals a secret anew, if nobody has replaced it meanwhile.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn reseal_webhook(
        &self,
        webhook: &Webhook,
        with: &DataKeyId,
        sealed: &str,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("update webhooks set data_key_id = $3, sealed = $4 where id = $1 and sealed = $2")
                .bind(&webhook.id).bind(&webhook.sealed).bind(with).bind(sealed).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Keeps what became of an attempt.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the webhook is gone.
    pub async fn record_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(concat!(
                "insert into webhook_deliveries (", delivery_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8)"
            ))
            .bind(&delivery.id).bind(&delivery.webhook_id).bind(&delivery.event_id)
            .bind(i64::from(delivery.attempt)).bind(delivery.status).bind(&delivery.problem)
            .bind(delivery.duration_us).bind(delivery.created_at)
            .execute(&mut *tx).await
            .map_err(or_missing("webhook"))?;
        });
        Ok(())
    }

    /// What became of the attempts to tell, newest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_deliveries(
        &self,
        webhook: &WebhookId,
        page: &PageRequest,
    ) -> Result<Page<Delivery>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Delivery> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", delivery_columns!(), " from webhook_deliveries where webhook_id = $1 \
                 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4"
            ))
            .bind(webhook).bind(at).bind(id).bind(page.rows_to_fetch()).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Forgets attempts from before a moment, some at a time.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn forget_deliveries(&self, before: TimeUs) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(
                "delete from webhook_deliveries where id in \
                 (select id from webhook_deliveries where created_at < $1 limit 1000)",
            )
            .bind(before).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
