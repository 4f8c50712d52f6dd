//! Webhooks of a project and their deliveries. Never sends anything and never decrypts a secret.
//!
//! Deliveries are enqueued as jobs in the transaction of the change (`audit.rs`).

use crate::audit::record_audit;
use crate::error::or_missing;
use crate::folders::lock_project;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::{
    AuditEventId, DataKeyId, DeliveryId, Field, NewAuditEvent, Page, PageRequest, ProjectId, Resource, Store,
    StoreError, TimeUs, UserId, WebhookId,
};

/// Maximum number of webhooks of a project.
pub const MAX_WEBHOOKS: i64 = 20;

#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: WebhookId,
    pub project_id: ProjectId,
    pub url: String,
    /// Actions of audit events, separated by spaces, or `*`.
    pub events: String,
    /// The data key that encrypts the secret.
    pub data_key_id: DataKeyId,
    /// The encrypted signing secret.
    pub sealed: String,
    /// Incremented by each change.
    pub revision: i64,
    pub disabled_at: Option<TimeUs>,
    pub created_by: Option<UserId>,
    pub created_at: TimeUs,
    pub updated_at: TimeUs,
}

row!(
    Webhook,
    webhook_columns {
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
        updated_at,
    }
);

/// A delivery attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub webhook_id: WebhookId,
    pub event_id: AuditEventId,
    /// From 1.
    pub attempt: u32,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<i64>,
    pub problem: Option<String>,
    /// In microseconds.
    pub duration_us: i64,
    pub created_at: TimeUs,
}

row!(Delivery, delivery_columns {
    id, webhook_id, event_id, attempt as i64, status, problem, duration_us, created_at,
});

impl Store {
    /// Creates a webhook.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such project, [`StoreError::Full`] if it has [`MAX_WEBHOOKS`] already.
    pub async fn create_webhook(&self, webhook: &Webhook, audit: &NewAuditEvent) -> Result<(), StoreError> {
        check_text(Field::Url, &webhook.url)?;
        in_transaction!(&self.pool, tx => {
            // Under the lock, so that concurrent creations are counted one after the other.
            lock_project!(tx, &webhook.project_id);
            let count: i64 = sqlx::query_scalar("select count(*) from webhooks where project_id = $1")
                .bind(&webhook.project_id).fetch_one(&mut *tx).await?;
            if count >= MAX_WEBHOOKS {
                return Err(StoreError::Full { what: Resource::Webhook, most: MAX_WEBHOOKS });
            }
            sqlx::query(concat!(
                "insert into webhooks (", webhook_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
            ))
            .bind(&webhook.id).bind(&webhook.project_id).bind(&webhook.url).bind(&webhook.events)
            .bind(&webhook.data_key_id).bind(&webhook.sealed).bind(webhook.revision).bind(webhook.disabled_at)
            .bind(&webhook.created_by).bind(webhook.created_at).bind(webhook.updated_at)
            .execute(&mut *tx).await
            .map_err(or_missing(Resource::Project))?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    pub async fn find_webhook(&self, id: &WebhookId) -> Result<Webhook, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", webhook_columns!(), " from webhooks where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Webhook })
    }

    /// The webhooks of a project, newest first.
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

    /// Updates `url`, `events`, the encrypted secret and `disabled_at`.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if the revision is not that of `webhook`.
    pub async fn update_webhook(
        &self,
        webhook: &Webhook,
        audit: &NewAuditEvent,
    ) -> Result<Webhook, StoreError> {
        check_text(Field::Url, &webhook.url)?;
        Ok(in_transaction!(&self.pool, tx => {
            let changed: Option<Webhook> = sqlx::query_as(concat!(
                "update webhooks set url = $3, events = $4, data_key_id = $5, sealed = $6, disabled_at = $7, \
                 updated_at = $8, revision = revision + 1 where id = $1 and revision = $2 returning ",
                webhook_columns!()
            ))
            .bind(&webhook.id).bind(webhook.revision).bind(&webhook.url).bind(&webhook.events)
            .bind(&webhook.data_key_id).bind(&webhook.sealed).bind(webhook.disabled_at).bind(audit.at)
            .fetch_optional(&mut *tx).await?;
            let changed = changed.ok_or(StoreError::Stale { what: Resource::Webhook })?;
            record_audit!(tx, audit);
            changed
        }))
    }

    /// Deletes a webhook and its deliveries.
    pub async fn delete_webhook(&self, id: &WebhookId, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            let gone = sqlx::query("delete from webhooks where id = $1").bind(id).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::Webhook });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// A batch of webhooks whose secrets are not encrypted with this data key, for re-encryption.
    pub async fn list_webhooks_sealed_otherwise(&self, id: &DataKeyId) -> Result<Vec<Webhook>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", webhook_columns!(), " from webhooks where data_key_id <> $1 order by id limit 200"
            ))
            .bind(id).fetch_all(db).await
        })?)
    }

    /// Re-encrypts a secret, unless it was replaced meanwhile.
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

    /// Stores a delivery attempt.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the webhook was deleted.
    pub async fn record_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(concat!(
                "insert into webhook_deliveries (", delivery_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8)"
            ))
            .bind(&delivery.id).bind(&delivery.webhook_id).bind(&delivery.event_id)
            .bind(i64::from(delivery.attempt)).bind(delivery.status).bind(&delivery.problem)
            .bind(delivery.duration_us).bind(delivery.created_at)
            .execute(&mut *tx).await
            .map_err(or_missing(Resource::Webhook))?;
        });
        Ok(())
    }

    /// The delivery attempts, newest first.
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

    /// Deletes a batch of attempts from before a time.
    pub async fn delete_old_deliveries(&self, before: TimeUs) -> Result<(), StoreError> {
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
