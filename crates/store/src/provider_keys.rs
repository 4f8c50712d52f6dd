//! Encrypted API keys of model providers, of users and projects; and the data keys that encrypt them, encrypted
//! themselves. Never decrypts one.

use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{
    DataKeyId, NewAuditEvent, ProjectId, ProviderKeyId, Resource, Store, StoreError, TimeUs, UserId,
};

/// A key that encrypts provider keys.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    pub id: DataKeyId,
    /// Encrypted with the key of the installation.
    pub sealed: String,
    pub created_at: TimeUs,
}

row!(DataKey { id, sealed, created_at });

/// An API key of a project or of a user; exactly one of the two is set.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderKey {
    pub id: ProviderKeyId,
    pub project_id: Option<ProjectId>,
    pub user_id: Option<UserId>,
    pub provider: String,
    pub data_key_id: DataKeyId,
    /// Encrypted.
    pub sealed: String,
    pub hint: String,
    pub created_at: TimeUs,
}

row!(ProviderKey, key_columns { id, project_id, user_id, provider, data_key_id, sealed, hint, created_at });

#[derive(Debug, Clone, Copy)]
pub enum KeysOf<'a> {
    Project(&'a ProjectId),
    User(&'a UserId),
}

impl Store {
    /// The data keys, newest first.
    pub async fn list_data_keys(&self) -> Result<Vec<DataKey>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as("select id, sealed, created_at from data_keys order by created_at desc, id desc")
                .fetch_all(db).await
        })?)
    }

    /// Stores a data key; it is used from now on.
    pub async fn create_data_key(&self, key: &DataKey) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("insert into data_keys (id, sealed, created_at) values ($1, $2, $3)")
                .bind(&key.id).bind(&key.sealed).bind(key.created_at).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Deletes unused data keys, except the newest.
    pub async fn delete_unused_data_keys(&self) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(
                "delete from data_keys where not exists \
                     (select 1 from provider_keys where provider_keys.data_key_id = data_keys.id) \
                 and not exists (select 1 from webhooks where webhooks.data_key_id = data_keys.id) \
                 and exists (select 1 from data_keys newer where newer.created_at > data_keys.created_at \
                     or (newer.created_at = data_keys.created_at and newer.id > data_keys.id))",
            )
            .execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Creates or replaces a provider key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such project, user or data key.
    pub async fn set_provider_key(&self, key: &ProviderKey, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(
                "delete from provider_keys where provider = $1 and (project_id = $2 or user_id = $3)",
            )
                .bind(&key.provider).bind(&key.project_id).bind(&key.user_id).execute(&mut *tx).await?;
            sqlx::query(concat!(
                "insert into provider_keys (", key_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8)"
            ))
            .bind(&key.id).bind(&key.project_id).bind(&key.user_id).bind(&key.provider).bind(&key.data_key_id)
            .bind(&key.sealed).bind(&key.hint).bind(key.created_at)
            .execute(&mut *tx).await
            .map_err(crate::error::or_missing(Resource::Project))?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// The provider keys of a project or a user, by provider.
    pub async fn list_provider_keys(&self, of: KeysOf<'_>) -> Result<Vec<ProviderKey>, StoreError> {
        Ok(on_pool!(&self.pool, db => match of {
            KeysOf::Project(project) => {
                sqlx::query_as(concat!(
                    "select ", key_columns!(), " from provider_keys where project_id = $1 order by provider"
                ))
                .bind(project).fetch_all(db).await
            }
            KeysOf::User(user) => {
                sqlx::query_as(concat!(
                    "select ", key_columns!(), " from provider_keys where user_id = $1 order by provider"
                ))
                .bind(user).fetch_all(db).await
            }
        })?)
    }

    /// A batch of keys that are not encrypted with this data key, for re-encryption.
    pub async fn list_keys_sealed_otherwise(&self, id: &DataKeyId) -> Result<Vec<ProviderKey>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", key_columns!(), " from provider_keys where data_key_id <> $1 order by id limit 200"
            ))
            .bind(id).fetch_all(db).await
        })?)
    }

    /// Re-encrypts a key, unless it was replaced meanwhile.
    pub async fn reseal_provider_key(
        &self,
        key: &ProviderKey,
        with: &DataKeyId,
        sealed: &str,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("update provider_keys set data_key_id = $3, sealed = $4 where id = $1 and sealed = $2")
                .bind(&key.id).bind(&key.sealed).bind(with).bind(sealed).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none of this provider.
    pub async fn delete_provider_key(
        &self,
        of: KeysOf<'_>,
        provider: &str,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        let (project, user) = match of {
            KeysOf::Project(project) => (Some(project), None),
            KeysOf::User(user) => (None, Some(user)),
        };
        in_transaction!(&self.pool, tx => {
            let gone = sqlx::query(
                "delete from provider_keys where provider = $1 and (project_id = $2 or user_id = $3)",
            )
                .bind(provider).bind(project).bind(user).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::ProviderKey });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }
}
