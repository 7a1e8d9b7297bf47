//! `[handover]`: settings of handovers.

use serde::{Deserialize, Serialize};

use super::{ConfigError, setting, within};

/// Settings of handovers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handover {
    /// Whether each successor must agree before anything is submitted.
    pub acceptance: bool,
    /// The URL that a successor's notice opens; {id} stands for the handover's number.
    pub page_url: String,
    /// After how many seconds WeCom is first asked for results.
    pub poll_first_seconds: u32,
    /// The longest time between two polls.
    pub poll_max_seconds: u32,
    /// The templates of the 审批 app whose approved forms are resignations: ids between commas, each alone or as
    /// `id=title` of the control with the last day.
    pub resignation_templates: String,
}

impl Default for Handover {
    fn default() -> Self {
        Self {
            acceptance: false,
            page_url: String::new(),
            poll_first_seconds: 300,
            poll_max_seconds: 7_200,
            resignation_templates: String::new(),
        }
    }
}

impl Handover {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("handover.poll_first_seconds", self.poll_first_seconds.into(), 1..=3_600)?;
        within("handover.poll_max_seconds", self.poll_max_seconds.into(), 1..=86_400)?;
        if self.poll_max_seconds < self.poll_first_seconds {
            return Err(setting("handover.poll_max_seconds", "must not be less than handover.poll_first_seconds"));
        }
        if self.templates().any(|(id, control)| id.is_empty() || control == Some("")) {
            let want = "must be template ids between commas, each alone or as id=title";
            return Err(setting("handover.resignation_templates", want));
        }
        Ok(())
    }

    /// The templates of resignations: each id, and the title or id of the control with the last day, if it is named.
    pub fn templates(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let named = self.resignation_templates.split(',').filter(|_| !self.resignation_templates.trim().is_empty());
        named.map(|it| match it.split_once('=') {
            Some((id, control)) => (id.trim(), Some(control.trim())),
            None => (it.trim(), None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_polling_interval_must_not_be_shorter_than_the_first() {
        let it = Handover { poll_first_seconds: 60, poll_max_seconds: 30, ..Handover::default() };
        assert!(it.check().is_err_and(|error| error.to_string().starts_with("handover.poll_max_seconds: ")));
        assert!(Handover::default().check().is_ok());
    }

    #[test]
    fn templates_of_resignations_are_named_alone_or_with_a_control() {
        let of = |text: &str| Handover { resignation_templates: text.to_owned(), ..Handover::default() };
        assert_eq!(of("").templates().count(), 0);
        let two = of("Tpl1, Tpl2=最后工作日");
        assert_eq!(two.templates().collect::<Vec<_>>(), [("Tpl1", None), ("Tpl2", Some("最后工作日"))]);
        assert!(two.check().is_ok());
        for wrong in [",", "Tpl1,", "=最后工作日", "Tpl1="] {
            assert!(of(wrong).check().is_err_and(|it| it.to_string().starts_with("handover.resignation_templates: ")));
        }
    }
}
