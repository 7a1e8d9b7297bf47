//! Times in a query.

use chrono::{DateTime, Utc};

use crate::admin::spec::{params::Params, problem::Problem};

/// Takes a time with its offset. An unencoded `+` arrives as a blank, which is read as a `+`.
pub fn take_time(params: &mut Params, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = params.take(name) else { return Ok(None) };
    match DateTime::parse_from_rfc3339(&text.replace(' ', "+")) {
        Ok(time) => Ok(Some(time.to_utc())),
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
    fn a_time_needs_an_offset_and_survives_a_plus_that_was_not_encoded() {
        let time = |query: &str| take_time(&mut Params::parse(query).expect("good"), "from");
        let at = time("from=2026-01-31T08:00:00+08:00").expect("a time").expect("given");
        assert_eq!(at.to_rfc3339(), "2026-01-31T00:00:00+00:00");
        assert_eq!(time("from=2026-01-31T00:00:00Z").expect("a time"), Some(at));
        assert_eq!(time("from=2026-01-31").expect_err("no offset").named(), Some("from"));
        assert_eq!(time("").expect("not given"), None);
    }
}
