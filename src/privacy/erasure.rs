//! The second half of an erasure: removes the person's plaintexts from the inbox, and deletes their files.
//!
//! The inbox has no index by person, so it is searched from its beginning to the moment of the request. Workers check
//! later deliveries when they record them. Each step is one transaction that stores its progress: it may be killed
//! anywhere, and any process continues.

use sqlx::PgPool;

use crate::{
    ids::DeliveryKey,
    inbox,
    media::{MediaStore, Name, StoreError},
    tables::privacy::erasure::{self, Bytes, Running},
};

/// How many deliveries a step searches, unless a test sets fewer.
const STRETCH: i64 = 5_000;

/// How many files a step deletes.
const FILES_MAX: i64 = 50;

/// After how many seconds a store that failed is tried again.
const STORE_REST_S: f64 = 60.0;

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// No erasure is unfinished, or the unfinished ones must wait.
    Idle,
    /// Something was done, and there may be more.
    Worked,
}

/// Completes erasures.
#[derive(Clone)]
pub struct Eraser {
    /// The database.
    pub pool: PgPool,
    /// The store of files.
    pub media: MediaStore,
    /// How many deliveries a step searches.
    pub stretch: i64,
}

impl Eraser {
    /// An eraser with the usual step length.
    pub fn new(pool: PgPool, media: MediaStore) -> Self {
        Self { pool, media, stretch: STRETCH }
    }

    /// Takes the next step of any erasure.
    pub async fn step(&self) -> sqlx::Result<Step> {
        let mut transaction = self.pool.begin().await?;
        let Some(running) = erasure::take(&mut transaction).await? else { return Ok(Step::Idle) };
        // A position that cannot be parsed means starting from the beginning.
        let after = running.scanned_to.as_deref().and_then(|it| it.parse::<DeliveryKey>().ok());
        let looked =
            inbox::mentions(&mut transaction, after.as_ref(), running.asked_at, &running.persons, self.stretch).await?;
        let Some(last) = looked.last else {
            // Deleting files takes long and may be done twice, so the row is unlocked meanwhile.
            transaction.commit().await?;
            return self.delete_files(&running).await;
        };
        inbox::unqueue(&mut transaction, &looked.mentioning).await?;
        let emptied = inbox::empty(&mut transaction, &looked.mentioning).await?;
        erasure::looked(&mut transaction, running.id, &last, emptied).await?;
        transaction.commit().await?;
        metrics::counter!("wecomd_events_erased_total").increment(emptied);
        Ok(Step::Worked)
    }

    async fn delete_files(&self, running: &Running) -> sqlx::Result<Step> {
        let mut conn = self.pool.acquire().await?;
        let files = erasure::bytes_left(&mut conn, running.id, FILES_MAX).await?;
        if files.is_empty() {
            erasure::finish(&mut conn, running.id).await?;
            tracing::info!(erasure = running.id, "an erasure is complete");
            return Ok(Step::Worked);
        }
        drop(conn);
        for file in &files {
            let removed = self.remove(file).await;
            let mut conn = self.pool.acquire().await?;
            if let Err(error) = removed {
                tracing::warn!(erasure = running.id, error = %error, "a file of an erased person could not be deleted yet");
                erasure::wait(&mut conn, running.id, &error.to_string(), STORE_REST_S).await?;
                return Ok(Step::Worked);
            }
            erasure::bytes_gone(&mut conn, running.id, file).await?;
        }
        Ok(Step::Worked)
    }

    async fn remove(&self, file: &Bytes) -> Result<(), StoreError> {
        if let Some(location) = &file.location {
            self.media.remove(&Name::at(location)?).await?;
        }
        // Also deletes the parts of an interrupted download, and a complete file that was not recorded.
        self.media.remove(&Name::new(&file.corpid, file.contact_time, &file.media_id)).await
    }
}
