//! One walk through a list page by page, which ends whatever WeCom answers.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{ApiError, Class};

/// The pages of one walk. It is kept for as long as the walk lasts.
#[derive(Debug)]
pub struct Pages {
    path: &'static str,
    pages_max: usize,
    /// A hash of each cursor that a page was asked with: a list may have many pages, and cursors are long.
    asked: HashSet<u64>,
}

impl Pages {
    /// A walk through the list of `path`, over so many pages at most.
    pub fn new(path: &'static str, pages_max: usize) -> Self {
        Self { path, pages_max, asked: HashSet::new() }
    }

    /// The cursor to go on with after the page that was asked for with `asked`; none at the end. Asking for the same
    /// page once more, as after trouble, is no circle.
    ///
    /// An error if the list would go on for ever: the next page was read before, or there are too many.
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

    /// How a walk over these cursors goes: how many pages are read, and the words it ends with.
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
