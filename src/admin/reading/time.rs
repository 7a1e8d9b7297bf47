//! Times in a query.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::admin::spec::{params::Params, problem::Problem};

/// Takes a time with its offset. An unencoded `+` arrives as a blank, which is read as a `+`.
pub fn take_time(params: &mut Params, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    params.take(name).map(|text| time(name, &text)).transpose()
}

/// Takes a moment: a time with its offset, or a day, which means its end in Asia/Shanghai.
pub fn take_moment(params: &mut Params, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    const CHINA: TimeDelta = TimeDelta::hours(8);
    let Some(text) = params.take(name) else { return Ok(None) };
    // A year of four digits: longer ones are outside of what the database can hold.
    let day = text.parse::<NaiveDate>().ok().filter(|_| text.len() == "2026-04-01".len());
    let end = day.and_then(|it| it.succ_opt());
    match end {
        Some(end) => Ok(Some(end.and_time(NaiveTime::MIN).and_utc() - CHINA - TimeDelta::microseconds(1))),
        None => time(name, &text).map(Some),
    }
}

fn time(name: &str, text: &str) -> Result<DateTime<Utc>, Problem> {
    match DateTime::parse_from_rfc3339(&text.replace(' ', "+")) {
        Ok(time) => Ok(time.to_utc()),
        Err(_) => Err(Problem::parameter(
            name,
            (
                "must be a time with its offset, such as 2026-01-31T08:00:00+08:00",
                "须为带时区的时间，如 2026-01-31T08:00:00+08:00",
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_means_its_end_in_china() {
        let moment = |query: &str| take_moment(&mut Params::parse(query).expect("good"), "as_of");
        let end = moment("as_of=2026-04-01").expect("a day").expect("given");
        assert_eq!(end.to_rfc3339(), "2026-04-01T15:59:59.999999+00:00");
        let time = moment("as_of=2026-04-01T00:00:00Z").expect("a time").expect("given");
        assert_eq!(time.to_rfc3339(), "2026-04-01T00:00:00+00:00");
        assert_eq!(moment("as_of=tomorrow").expect_err("neither").named(), Some("as_of"));
    }

    #[test]
    fn a_time_needs_an_offset_and_survives_a_plus_that_was_not_encoded() {
        let time = |query: &str| take_time(&mut Params::parse(query).expect("good"), "from");
        let at = time("from=2026-01-31T08:00:00+08:00").expect("a time").expect("given");
        assert_eq!(at.to_rfc3339(), "2026-01-31T00:00:00+00:00");
        assert_eq!(time("from=2026-01-31T00:00:00Z").expect("a time"), Some(at));
        assert_eq!(time("from=2026-01-31").expect_err("no offset").named(), Some("from"));
        assert_eq!(time("").expect("not given"), None);
    }
}
