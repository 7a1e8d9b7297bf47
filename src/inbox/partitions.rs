//! The inbox's days. A day is made when its first delivery comes, so that nothing has to be made in advance.

use std::collections::HashSet;

use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::PgConnection;

use crate::tables::partitions::{self, Made};

/// Which days are known to have a partition.
#[derive(Debug, Default)]
pub(super) struct KnownDays(HashSet<NaiveDate>);

/// How many days are remembered before the memory starts anew; asking again is cheap.
const DAYS_MAX: usize = 4_096;

impl KnownDays {
    /// Makes the partitions that these events need. A day that cannot have one lives in `inbox_elsewhen`.
    pub(super) async fn ensure(
        &mut self,
        conn: &mut PgConnection,
        times: impl Iterator<Item = DateTime<Utc>>,
    ) -> sqlx::Result<()> {
        let today = Utc::now().date_naive();
        for day in times.map(|at| at.date_naive()) {
            self.know(conn, day).await?;
            // Tomorrow is made with today: at midnight, a backup that holds the table must not be in the way.
            if day == today {
                self.know(conn, day + Days::new(1)).await?;
            }
        }
        Ok(())
    }

    async fn know(&mut self, conn: &mut PgConnection, day: NaiveDate) -> sqlx::Result<()> {
        if self.0.contains(&day) || !partitions::believable(day) {
            return Ok(());
        }
        if self.0.len() >= DAYS_MAX {
            self.0.clear();
        }
        let name = format!("inbox_{}", day.format("%Y%m%d"));
        if partitions::make(conn, "inbox", &name, day, day + Days::new(1)).await? == Made::Now {
            tracing::debug!(partition = name, "made a day for the inbox");
        }
        self.0.insert(day);
        Ok(())
    }
}
