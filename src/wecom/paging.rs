//! Reads a list page by page; ends whatever WeCom answers.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{ApiError, Class};

/// The pages of one list that is being read.
#[derive(Debug)]
pub struct Pages {
    path: &'static str,
    pages_max: usize,
    /// Hashes of the cursors used so far: a list may have many pages, and cursors are long.
    asked: HashSet<u64>,
}

impl Pages {
    /// Reads the list of `path`, at most this many pages.
    pub fn new(path: &'static str, pages_max: usize) -> Self {
        Self { path, pages_max, asked: HashSet::new() }
    }

    /// The cursor after the page that was requested with `asked`; none at the end. Requesting the same page again, as
    /// after an error, is allowed.
    ///
    /// An error if the list would never end: the next cursor was used before, or there are too many pages.
    pub fn follow(&mut self, asked: &str, next: String) -> Result<Option<String>, ApiError> {
        self.asked.insert(hash(asked));
        let endless = |why: String| Err(ApiError::unanswered(self.path, Class::Refused, why));
        if next.is_empty() {
            return Ok(None);
        }
        if self.asked.contains(&hash(&next)) {
            let pages = self.asked.len();
            return endless(format!(
                "the list goes round in a circle: a page that was read before follows page {pages}"
            ));
        }
        if self.asked.len() >= self.pages_max {
            return endless(format!("the list has more than {} pages", self.pages_max));
        }
        Ok(Some(next))
    }
}

fn hash(cursor: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    cursor.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a list with these cursors: how many pages were read, and the final error.
    fn walk(cursors: &[&str], pages_max: usize) -> (usize, String) {
        let mut pages = Pages::new("list", pages_max);
        let mut asked = String::new();
        for (page, next) in (1..).zip(cursors.iter().cycle()) {
            match pages.follow(&asked, (*next).to_owned()) {
                Ok(Some(next)) => asked = next,
                Ok(None) => return (page, String::new()),
                Err(error) => return (page, error.message.into()),
            }
        }
        unreachable!("the cycle is endless, and the walk is not")
    }

    #[test]
    fn paging_stops_at_the_end_at_a_loop_and_at_its_limit() {
        assert_eq!(walk(&["a", "b", ""], 10), (3, String::new()));
        let circle = |page| format!("the list goes round in a circle: a page that was read before follows page {page}");
        assert_eq!(walk(&["a"], 10), (2, circle(2)));
        assert_eq!(walk(&["a", "b"], 10), (3, circle(3)));
        assert_eq!(walk(&["a", "b", "c", "d", "b"], 10), (5, circle(5)));
        assert_eq!(walk(&["a", "b", "c", "d"], 3), (3, "the list has more than 3 pages".to_owned()));
    }

    #[test]
    fn requesting_a_page_again_is_not_a_loop() {
        let mut pages = Pages::new("list", 10);
        for _ in 0..3 {
            assert_eq!(pages.follow("", "a".to_owned()).expect("goes on").as_deref(), Some("a"));
        }
        assert_eq!(pages.follow("a", "b".to_owned()).expect("goes on").as_deref(), Some("b"));
    }
}
