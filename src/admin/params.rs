//! A query's parameters. Each is taken once by name; what nobody takes is refused, because a misspelt filter must not
//! silently mean all rows.

use std::collections::BTreeMap;

use super::problem::Problem;

/// The parameters that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads a query as it stands in the URL.
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.contains('\0') {
                return Err(Problem::parameter(name, "must not hold a zero byte"));
            }
            if params.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Problem::parameter(name, "is given twice"));
            }
        }
        Ok(Self(params))
    }

    /// The value of that name. An empty one counts as not given, as forms send it.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.0.into_keys().next() {
            Some(name) => Err(Problem::parameter(name, "is not a parameter here: look for a typing error")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_decoded_and_an_empty_one_counts_as_not_given() {
        let mut params = Params::parse("app=shop%20two&state=").expect("good");
        assert_eq!(params.take("app").as_deref(), Some("shop two"));
        assert_eq!(params.take("state"), None);
        assert!(params.finish().is_ok());
    }

    #[test]
    fn what_nobody_asked_for_or_is_given_twice_is_refused_by_name() {
        let left = Params::parse("stat=parked").expect("good").finish().expect_err("unknown");
        assert_eq!(left.named(), Some("stat"));
        let twice = Params::parse("app=a&app=b").expect_err("twice");
        assert_eq!(twice.named(), Some("app"));
        assert_eq!(Params::parse("app=%00").expect_err("zero").named(), Some("app"));
    }
}
