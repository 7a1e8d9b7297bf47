//! A query's parameters. Each is taken once by name; parameters that remain are refused, because a misspelt filter
//! must not silently mean all rows.
//!
//! The parameters that an endpoint takes are compared with its description: in debug builds, an endpoint that takes
//! an undescribed parameter, or leaves a described one, stops the program.

use std::{collections::BTreeMap, str::FromStr};

use super::{parameter::Parameter, problem::Problem};
use crate::states::NotAWord;

/// The parameters that were not taken yet.
#[derive(Debug)]
pub struct Params {
    given: BTreeMap<String, String>,
    /// The described parameters that were not taken yet; none without a description.
    described: Option<Vec<&'static str>>,
}

impl Params {
    /// Reads a query as it stands in the URL.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.contains('\0') {
                return Err(Problem::parameter(name, ("must not hold a zero byte", "不得含零字节")));
            }
            if params.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Problem::parameter(name, ("is given twice", "重复给出")));
            }
        }
        Ok(Self { given: params, described: None })
    }

    /// The same for an endpoint with this description. A value outside of it is refused.
    pub fn described(query: &str, parameters: &[Parameter]) -> Result<Self, Problem> {
        let params = Self::parse(query)?;
        for it in parameters {
            let names = it.names();
            let given = params.given.get(it.name).filter(|value| !value.is_empty());
            if !names.is_empty() && given.is_some_and(|value| !names.contains(&value.as_str())) {
                return Err(Problem::one_of(it.name, &names));
            }
        }
        Ok(Self { described: Some(parameters.iter().map(|it| it.name).collect()), ..params })
    }

    /// The value of that name. An empty one counts as not given, as forms send it.
    pub fn take(&mut self, name: &str) -> Option<String> {
        if let Some(described) = &mut self.described {
            debug_assert!(described.contains(&name), "the query parameter {name} is not described, or taken twice");
            described.retain(|it| *it != name);
        }
        self.given.remove(name).filter(|value| !value.is_empty())
    }

    /// The value of that name as one of an enum's words.
    pub fn take_word<T: FromStr<Err = NotAWord>>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let word = self.take(name).map(|text| text.parse()).transpose();
        word.map_err(|error: NotAWord| Problem::one_of(name, error.known()))
    }

    /// Refuses the remaining parameters.
    pub fn finish(self) -> Result<(), Problem> {
        let left = self.described.unwrap_or_default();
        debug_assert!(left.is_empty(), "the query parameters {left:?} are described, and nobody takes them");
        match self.given.into_keys().next() {
            Some(name) => Err(Problem::parameter(
                name,
                ("is not a parameter here: look for a typing error", "此处不支持该参数，请检查拼写"),
            )),
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
    fn an_unknown_or_repeated_parameter_is_refused_by_name() {
        let left = Params::parse("stat=parked").expect("good").finish().expect_err("unknown");
        assert_eq!(left.named(), Some("stat"));
        let twice = Params::parse("app=a&app=b").expect_err("twice");
        assert_eq!(twice.named(), Some("app"));
        assert_eq!(Params::parse("app=%00").expect_err("zero").named(), Some("app"));
    }
}
