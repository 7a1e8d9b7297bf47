//! The second half of an erasure: what WeCom said of somebody is taken out of the inbox, and their files are deleted.
//!
//! The inbox has no index by person, so it is looked through from its beginning to the moment at which they were asked
//! to be erased. What is recorded after that moment is judged by its worker. Each step is one transaction, which notes
//! how far it came: it may be killed anywhere, and any process goes on.

use sqlx::PgPool;

use crate::{
    ids::DeliveryKey,
    inbox,
    media::{MediaStore, Name, StoreError},
    tables::privacy::erasure::{self, Bytes, Running},
};

/// How many deliveries a step looks through, unless a test wants fewer.
const STRETCH: i64 = 5_000;

/// How many files a step deletes.
const FILES_MAX: i64 = 50;

/// After how many seconds a store that did not work is tried again.
const STORE_REST_S: f64 = 60.0;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nobody is to be erased, or what is left has to wait.
    Idle,
    /// Something was done, and there may be more.
    Worked,
}

/// Carries erasures to their end.
#[derive(Clone)]
pub struct Eraser {
    /// The database.
    pub pool: PgPool,
    /// Where the files are.
    pub media: MediaStore,
    /// How many deliveries a step looks through.
    pub stretch: i64,
}

impl Eraser {
    /// One that takes stretches of the usual length.
    pub fn new(pool: PgPool, media: MediaStore) -> Self {
        Self { pool, media, stretch: STRETCH }
    }

    /// Takes the next step of any erasure.
    pub async fn step(&self) -> sqlx::Result<Step> {
        let mut transaction = self.pool.begin().await?;
        let Some(running) = erasure::take(&mut transaction).await? else { return Ok(Step::Idle) };
        // Whoever cannot be read any more begins at the beginning.
        let after = running.scanned_to.as_deref().and_then(|it| it.parse::<DeliveryKey>().ok());
        let looked =
            inbox::mentions(&mut transaction, after.as_ref(), running.asked_at, &running.persons, self.stretch).await?;
        let Some(last) = looked.last else {
            // Deleting files takes long, and is as well done twice: the row is let go meanwhile.
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
            tracing::info!(erasure = running.id, "somebody is erased");
            return Ok(Step::Worked);
        }
        drop(conn);
        for file in &files {
            let removed = self.remove(file).await;
            let mut conn = self.pool.acquire().await?;
            if let Err(error) = removed {
                tracing::warn!(erasure = running.id, error = %error, "a file of somebody who is erased is still there");
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
        // A download that broke off has left its parts there, and one that nobody noted its whole.
        self.media.remove(&Name::new(&file.corpid, file.contact_time, &file.media_id)).await
    }
}
