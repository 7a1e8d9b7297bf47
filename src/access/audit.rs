//! Verifies the access log: every chain is read from its first line to its last. Where old months were dropped, it is
//! read from the next line on, which carries the hash of the last dropped one.
//!
//! A line that was changed, removed, moved or added by hand does not fit between its neighbours. Somebody who may
//! rewrite the whole database could make a new chain that fits; so the ends of the chains are printed, to be stored
//! elsewhere, and a later check compares with them.

use std::{fmt, str::FromStr};

use sqlx::PgPool;

use crate::tables::access::access_log::chain::{self, Anchor, BEGINNING, Head, Line};

/// How many lines are read at once.
const STRETCH: i64 = 5_000;

/// The end of a chain at an earlier check: `chain 3: 1017 lines, the last is 5f…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The chain's number.
    pub chain: i16,
    /// How many lines it had.
    pub lines: i64,
    /// The hash of the last line, in hexadecimal digits.
    pub hash: String,
}

/// The text is not the end of a chain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must read `chain 3: 1017 lines, the last is 5f…`, as a former run printed it")]
pub struct NotAnEnd;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every line fits.
    Whole {
        /// The ends of the chains that have lines.
        ends: Vec<End>,
        /// The dropped beginnings of chains.
        dropped: Vec<Anchor>,
    },
    /// A line does not fit.
    Broken(Break),
}

/// The first line that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The chain.
    pub chain: i16,
    /// The position in it, from 1.
    pub position: i64,
    /// The fault.
    pub what: What,
}

/// The faults that a check can find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The line is missing.
    Missing,
    /// The line of that number was changed.
    Changed(i64),
    /// The line of that number follows another line than the one before it.
    Misplaced(i64),
    /// The line of that number is beyond the recorded end of the chain: one of the two was changed by hand.
    Added(i64),
    /// The line differs from the one that an earlier check saw there.
    Rewritten,
}

impl Verdict {
    /// How many lines were checked.
    pub fn lines(&self) -> i64 {
        match self {
            Self::Whole { ends, dropped } => {
                ends.iter().map(|it| it.lines - last(dropped, it.chain).map_or(0, |anchor| anchor.position)).sum()
            }
            Self::Broken(_) => 0,
        }
    }
}

/// Checks every chain as of now. `noted` are the ends of chains at earlier checks.
pub async fn verify(pool: &PgPool, noted: &[End]) -> sqlx::Result<Verdict> {
    let mut conn = chain::as_of_now(pool).await?;
    let heads = chain::heads(&mut conn).await?;
    let dropped = chain::anchors(&mut conn).await?;
    let mut ends = Vec::new();
    for head in &heads {
        let anchors: Vec<_> = dropped.iter().filter(|it| it.chain == head.chain).collect();
        let mut walk = Walk::new(head, noted, &anchors);
        if let Some(found) = walk.at_the_anchors(&anchors) {
            return Ok(Verdict::Broken(found));
        }
        if let Some(anchor) = anchors.last()
            && let Some(line) = chain::stretch(&mut conn, head.chain, i64::MIN, 1).await?.first()
            && line.position <= anchor.position
        {
            return Ok(broken(head.chain, line.position, What::Added(line.id)));
        }
        while !walk.ended() {
            let lines = chain::stretch(&mut conn, head.chain, walk.position, STRETCH).await?;
            if lines.is_empty() {
                return Ok(walk.at_the_end());
            }
            for line in &lines {
                if let Err(found) = walk.step(line) {
                    return Ok(Verdict::Broken(found));
                }
            }
        }
        if let Some(line) = chain::stretch(&mut conn, head.chain, walk.position, 1).await?.first() {
            return Ok(broken(head.chain, line.position, What::Added(line.id)));
        }
        if let Verdict::Broken(found) = walk.at_the_end() {
            return Ok(Verdict::Broken(found));
        }
        if head.position > 0 {
            ends.push(End { chain: head.chain, lines: head.position, hash: hex::encode(&head.hash) });
        }
    }
    let known: Vec<_> = heads.iter().map(|it| it.chain).collect();
    if let Some(astray) = chain::astray(&mut conn, &known).await?
        && let Some(line) = chain::stretch(&mut conn, astray, i64::MIN, 1).await?.first()
    {
        return Ok(broken(astray, line.position, What::Added(line.id)));
    }
    if let Some(lost) = noted.iter().find(|it| !known.contains(&it.chain)) {
        return Ok(broken(lost.chain, lost.lines, What::Missing));
    }
    Ok(Verdict::Whole { ends, dropped })
}

/// The check of one chain.
struct Walk<'a> {
    head: &'a Head,
    noted: Vec<&'a End>,
    position: i64,
    hash: Vec<u8>,
}

impl<'a> Walk<'a> {
    fn new(head: &'a Head, noted: &'a [End], anchors: &[&Anchor]) -> Self {
        let noted = noted.iter().filter(|it| it.chain == head.chain).collect();
        let (position, hash) = match anchors.last() {
            Some(anchor) => (anchor.position, anchor.hash.clone()),
            None => (0, BEGINNING.to_vec()),
        };
        Self { head, noted, position, hash }
    }

    /// An earlier end at a dropped line must match the hash that was kept of it.
    fn at_the_anchors(&self, anchors: &[&Anchor]) -> Option<Break> {
        let contradicts = |it: &&&Anchor| {
            it.position > self.head.position
                || self.noted.iter().any(|end| end.lines == it.position && end.hash != hex::encode(&it.hash))
        };
        let found = anchors.iter().find(contradicts)?;
        Some(Break { chain: self.head.chain, position: found.position, what: What::Rewritten })
    }

    fn ended(&self) -> bool {
        self.position >= self.head.position
    }

    fn step(&mut self, line: &Line) -> Result<(), Break> {
        let next = self.position.saturating_add(1);
        let at = |position, what| Err(Break { chain: self.head.chain, position, what });
        if line.position > self.head.position {
            return at(line.position, What::Added(line.id));
        }
        if line.position != next {
            return at(next, What::Missing);
        }
        if line.hashed()[..] != line.hash {
            return at(next, What::Changed(line.id));
        }
        if line.previous != self.hash {
            return at(next, What::Misplaced(line.id));
        }
        if self.noted.iter().any(|it| it.lines == next && it.hash != hex::encode(&line.hash)) {
            return at(next, What::Rewritten);
        }
        self.position = next;
        self.hash.clone_from(&line.hash);
        Ok(())
    }

    /// The checks after the last line: whether lines are missing at the end, and whether the end is the recorded one.
    fn at_the_end(&self) -> Verdict {
        let chain = self.head.chain;
        if !self.ended() {
            return broken(chain, self.position.saturating_add(1), What::Missing);
        }
        if self.noted.iter().any(|it| it.lines > self.position) {
            return broken(chain, self.position.saturating_add(1), What::Missing);
        }
        if self.hash != self.head.hash {
            return broken(chain, self.position, What::Rewritten);
        }
        Verdict::Whole { ends: Vec::new(), dropped: Vec::new() }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chain {}: {} lines, the last is {}", self.chain, self.lines, self.hash)
    }
}

impl FromStr for End {
    type Err = NotAnEnd;

    fn from_str(text: &str) -> Result<Self, NotAnEnd> {
        let rest = text.trim().strip_prefix("chain ").ok_or(NotAnEnd)?;
        let (chain, rest) = rest.split_once(": ").ok_or(NotAnEnd)?;
        let (lines, hash) = rest.split_once(" lines, the last is ").ok_or(NotAnEnd)?;
        let is_hash = hash.len() == 2 * BEGINNING.len() && hash.bytes().all(|it| it.is_ascii_hexdigit());
        let (Ok(chain), Ok(lines), true) = (chain.parse(), lines.parse(), is_hash) else { return Err(NotAnEnd) };
        Ok(Self { chain, lines, hash: hash.to_ascii_lowercase() })
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, position, what } = self;
        match what {
            What::Missing => write!(f, "chain {chain}: the line at place {position} is missing"),
            What::Changed(id) => write!(f, "chain {chain}: line {id} at place {position} was changed"),
            What::Misplaced(id) => {
                write!(f, "chain {chain}: line {id} at place {position} does not follow the line before it")
            }
            What::Added(id) => write!(f, "chain {chain}: line {id} at place {position} lies beyond the chain's end"),
            What::Rewritten => {
                write!(f, "chain {chain}: up to place {position} it was written anew: another line stood there before")
            }
        }
    }
}

/// The anchor of a chain's last dropped line.
fn last(dropped: &[Anchor], chain: i16) -> Option<&Anchor> {
    dropped.iter().rfind(|it| it.chain == chain)
}

fn broken(chain: i16, position: i64, what: What) -> Verdict {
    Verdict::Broken(Break { chain, position, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_end_parses_from_its_own_text() {
        let end = End { chain: 3, lines: 1017, hash: "5f".repeat(32) };
        assert_eq!(end.to_string().parse(), Ok(end));
        for wrong in ["", "chain 3", "chain 3: 17 lines, the last is 5f", "chain x: 1 lines, the last is 00"] {
            assert_eq!(wrong.parse::<End>(), Err(NotAnEnd), "{wrong}");
        }
    }
}
