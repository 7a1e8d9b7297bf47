//! Adds a real network's disturbances to an ordered day: repeats, disorder, and forgeries.
//!
//! Input is any list of pushes; the same seed makes the same disturbances. All genuine pushes remain, so a correct
//! service ends up in the same state with or without them.

use super::chance::{Chance, DIGITS};
use super::push::{AppKind, Forgery, Push};

/// A repeated push arrives at most this many more times, as WeCom retries at most three times.
const REPEATS_MAX: u32 = 3;

/// A quick repeat comes within this many pushes; the others come from anywhere in the day.
const QUICK_REPEAT_MAX: usize = 20;

/// The rates of disturbances, each as a probability per push from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The push arrives one to three times more.
    pub duplicate: f64,
    /// The push arrives at any moment of the day instead of its own.
    pub reorder: f64,
    /// A forged message is added.
    pub forge: f64,
}

impl Rates {
    /// No disturbances.
    pub const NONE: Self = Self { duplicate: 0.0, reorder: 0.0, forge: 0.0 };
}

/// Repeats, reorders and adds forgeries.
pub fn stir(pushes: Vec<Push>, seed: u64, rates: &Rates) -> Vec<Push> {
    let mut chance = Chance::new(seed, "mischief");
    let count = pushes.len();
    let mut placed: Vec<(usize, Push)> = Vec::with_capacity(count);
    for (place, push) in pushes.into_iter().enumerate() {
        if chance.happens(rates.duplicate) {
            for _ in 0..chance.between(1, REPEATS_MAX) {
                let quick = chance.happens(0.5);
                let later = if quick { place + chance.below(QUICK_REPEAT_MAX) } else { chance.below(count) };
                placed.push((later, push.clone()));
            }
        }
        if chance.happens(rates.forge) {
            placed.push((chance.below(count), forged(&mut chance, push.app)));
        }
        let place = if chance.happens(rates.reorder) { chance.below(count) } else { place };
        placed.push((place, push));
    }
    // A stable sort: pushes at one position keep their order.
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, push)| push).collect()
}

/// A forged message. No genuine push has the same text, so a test can search a service's data for it.
fn forged(chance: &mut Chance, app: AppKind) -> Push {
    let forgery = Forgery::ALL.get(chance.below(Forgery::ALL.len())).copied();
    let number = chance.text(DIGITS, 18);
    let plaintext = format!(
        "<xml><ToUserName><![CDATA[wwFORGED]]></ToUserName><FromUserName><![CDATA[FORGED{number}]]></FromUserName>\
         <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[请把定金转到新账户]]></Content><MsgId>{number}</MsgId><AgentID>1000002</AgentID></xml>"
    );
    Push { app, plaintext, forgery }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const COUNT: usize = 4000;

    fn tidy() -> Vec<Push> {
        (0..COUNT).map(|n| Push::genuine(AppKind::App, format!("<xml>{n}</xml>"))).collect()
    }

    #[test]
    fn mischief_without_rates_changes_nothing() {
        assert_eq!(stir(tidy(), 1, &Rates::NONE), tidy());
    }

    #[test]
    fn a_seed_always_makes_the_same_mischief() {
        let rates = Rates { duplicate: 0.2, reorder: 0.3, forge: 0.1 };
        assert_eq!(stir(tidy(), 1, &rates), stir(tidy(), 1, &rates));
        assert_ne!(stir(tidy(), 1, &rates), stir(tidy(), 2, &rates));
    }

    #[test]
    fn mischief_keeps_every_genuine_push_and_its_rates() {
        let stirred = stir(tidy(), 1, &Rates { duplicate: 0.1, reorder: 0.2, forge: 0.05 });
        let mut arrivals: HashMap<&str, usize> = HashMap::new();
        for push in stirred.iter().filter(|push| !push.forged()) {
            *arrivals.entry(&push.plaintext).or_default() += 1;
        }
        assert_eq!(arrivals.len(), COUNT);
        assert!(arrivals.values().all(|&times| times <= 4));
        let repeated = arrivals.values().filter(|&&times| times > 1).count();
        let forged = stirred.iter().filter(|push| push.forged()).count();
        assert!((300..500).contains(&repeated), "{repeated} of 4000 at 0.1");
        assert!((140..260).contains(&forged), "{forged} of 4000 at 0.05");
    }

    #[test]
    fn reordering_moves_chosen_pushes_far_and_keeps_the_order_of_the_others() {
        let stirred = stir(tidy(), 1, &Rates { duplicate: 0.0, reorder: 0.1, forge: 0.0 });
        let tidy = tidy();
        let places: HashMap<&str, usize> =
            tidy.iter().enumerate().map(|(place, push)| (push.plaintext.as_str(), place)).collect();
        let far = stirred.iter().enumerate().filter(|(now, push)| places[push.plaintext.as_str()].abs_diff(*now) > 500);
        let far = far.count();
        assert!((200..400).contains(&far), "{far} of about 400 that were moved");
        assert_eq!(stirred.len(), COUNT);
    }

    #[test]
    fn every_kind_of_forgery_occurs() {
        let stirred = stir(tidy(), 1, &Rates { duplicate: 0.0, reorder: 0.0, forge: 1.0 });
        for forgery in Forgery::ALL {
            assert!(stirred.iter().any(|push| push.forgery == Some(forgery)), "{forgery:?}");
        }
        assert_eq!(stirred.len(), 2 * COUNT);
    }
}
