//! Keys of vendors that people and projects brought along, sealed; and the data keys that seal them, sealed themselves.
//! Never opens one.

use crate::audit::keep_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{DataKeyId, NewAuditEvent, ProjectId, ProviderKeyId, Store, StoreError, TimeUs, UserId};

/// What seals keys of vendors.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    /// Its id.
    pub id: DataKeyId,
    /// The key, sealed with that of the installation.
    pub sealed: String,
    /// When it was made.
    pub created_at: TimeUs,
}

row!(DataKey { id, sealed, created_at });

/// A key of a vendor.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderKey {
    /// Its id.
    pub id: ProviderKeyId,
    /// The project that it pays for; or else
    pub project_id: Option<ProjectId>,
    /// the person.
    pub user_id: Option<UserId>,
    /// The vendor.
    pub provider: String,
    /// What it is sealed with.
    pub data_key_id: DataKeyId,
    /// The key, sealed.
    pub sealed: String,
    /// Its last characters.
    pub hint: String,
    /// When it was brought.
    pub created_at: TimeUs,
}

row!(ProviderKey { id, project_id, user_id, provider, data_key_id, sealed, hint, created_at });

/// Whose keys.
#[derive(Debug, Clone, Copy)]
pub enum KeysOf<'a> {
    /// Those of a project.
    Project(&'a ProjectId),
    /// Those of a person.
    User(&'a UserId),
}

macro_rules! key_columns {
    () => {
        "id, project_id, user_id, provider, data_key_id, sealed, hint, created_at"
    };
}

impl Store {
    /// The data keys, newest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_data_keys(&self) -> Result<Vec<DataKey>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as("select id, sealed, created_at from data_keys order by created_at desc, id desc")
                .fetch_all(db).await
        })?)
    }

    /// Keeps a data key; from now on it seals.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn create_data_key(&self, key: &DataKey) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("insert into data_keys (id, sealed, created_at) values ($1, $2, $3)")
                .bind(&key.id).bind(&key.sealed).bind(key.created_at).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Seals a data key anew.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn reseal_data_key(&self, id: &DataKeyId, sealed: &str) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("update data_keys set sealed = $2 where id = $1").bind(id).bind(sealed)
                .execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Forgets data keys that seal nothing any more, but for the newest.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn forget_data_keys(&self) -> Result<(), StoreError> {
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

    /// Keeps a key in place of the one before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such project, person or data key.
    pub async fn set_provider_key(&self, key: &ProviderKey, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("delete from provider_keys where provider = $1 and (project_id = $2 or user_id = $3)")
                .bind(&key.provider).bind(&key.project_id).bind(&key.user_id).execute(&mut *tx).await?;
            sqlx::query(concat!(
                "insert into provider_keys (", key_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8)"
            ))
            .bind(&key.id).bind(&key.project_id).bind(&key.user_id).bind(&key.provider).bind(&key.data_key_id)
            .bind(&key.sealed).bind(&key.hint).bind(key.created_at)
            .execute(&mut *tx).await
            .map_err(crate::error::or_missing("project"))?;
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// The keys of somebody or something, by vendor.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// Some keys that are not sealed with a data key, to seal them anew.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_keys_sealed_otherwise(&self, id: &DataKeyId) -> Result<Vec<ProviderKey>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", key_columns!(), " from provider_keys where data_key_id <> $1 order by id limit 200"
            ))
            .bind(id).fetch_all(db).await
        })?)
    }

    /// Seals a key anew, if nobody has replaced it meanwhile.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// Forgets a key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none of this vendor.
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
            let gone = sqlx::query("delete from provider_keys where provider = $1 and (project_id = $2 or user_id = $3)")
                .bind(provider).bind(project).bind(user).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: "key" });
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }
}
