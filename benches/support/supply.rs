//! Callbacks in any number, none twice: working days of a made-up repair company, one after the other.

use chrono::{Days, NaiveDate};
use wecomd::sandbox::{App, Corp, Day, Push, work_day};

/// The first working day. Whoever asks for callbacks gets the next day, so that no two of a run are the same.
pub(crate) const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2025, 1, 11).expect("a day");

/// A company that never stops working.
#[derive(Debug)]
pub(crate) struct Supply {
    /// The company and its apps.
    pub(crate) corp: Corp,
    /// The day it will make next.
    pub(crate) today: NaiveDate,
    made: u64,
}

impl Supply {
    /// The same company in every run.
    pub(crate) fn new() -> Self {
        Self { corp: Corp::from_seed(1), today: FIRST_DAY, made: 0 }
    }

    /// A new day with this many callbacks.
    pub(crate) fn day(&mut self, callbacks: usize) -> Vec<Push> {
        self.whole_day(callbacks).pushes
    }

    /// A new day with who appears in it.
    pub(crate) fn whole_day(&mut self, callbacks: usize) -> Day {
        let number = self.made;
        let today = self.next_day();
        work_day(&self.corp, number, today, callbacks)
    }

    /// The day it would make next, for callbacks of another kind.
    pub(crate) fn next_day(&mut self) -> NaiveDate {
        let today = self.today;
        (self.today, self.made) = (today + Days::new(1), self.made + 1);
        today
    }

    /// The app that a push is for.
    pub(crate) fn app(&self, push: &Push) -> anyhow::Result<&App> {
        self.corp.app(push.app).ok_or_else(|| anyhow::anyhow!("the company has no app"))
    }
}
