//! Reproducible randomness: the same seed gives the same company, day and disturbances on every machine.
//!
//! SplitMix64, implemented here because a library's seeded generator may change with its version. It is for made-up
//! data only; real secrets and nonces come from elsewhere.

/// SplitMix64's increment: the golden ratio in 64 bits.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Ten digits.
pub(super) const DIGITS: &[u8] = b"0123456789";

/// The digits of a hash.
pub(super) const HEX: &[u8] = b"0123456789abcdef";

/// Letters and digits.
pub(super) const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A generator of pseudo-random choices.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// A generator for one purpose; two purposes with one seed do not influence each other.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let mut chance = Self(seed);
        for byte in purpose.bytes() {
            chance.0 = chance.draw() ^ u64::from(byte);
        }
        chance
    }

    /// The next 64 bits.
    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub(super) fn below(&mut self, end: usize) -> usize {
        // The upper half of a 128-bit product is below `end`, so it fits where `end` did.
        ((u128::from(self.draw()) * end as u128) >> 64) as usize
    }

    /// A number from `first` to `last`, both included.
    pub(super) fn between(&mut self, first: u32, last: u32) -> u32 {
        first.saturating_add(self.below(last.saturating_sub(first) as usize + 1) as u32)
    }

    /// Whether an event of this probability happens now.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        // 53 bits are what an f64 holds exactly.
        ((self.draw() >> 11) as f64 / (1_u64 << 53) as f64) < probability
    }

    /// One of some texts; empty if there are none.
    pub(super) fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts.get(self.below(texts.len())).copied().unwrap_or_default()
    }

    /// `count` characters of an alphabet.
    pub(super) fn text(&mut self, alphabet: &[u8], count: usize) -> String {
        (0..count).filter_map(|_| alphabet.get(self.below(alphabet.len()))).map(|&byte| char::from(byte)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_and_purpose_always_give_the_same_bits() {
        let mut raw = Chance(1_234_567);
        assert_eq!([raw.draw(), raw.draw()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973], "as published");
        assert_eq!(Chance::new(7, "a").draw(), Chance::new(7, "a").draw());
        assert_ne!(Chance::new(7, "a").draw(), Chance::new(7, "b").draw());
        assert_ne!(Chance::new(7, "a").draw(), Chance::new(8, "a").draw());
    }

    #[test]
    fn choices_stay_within_their_bounds_and_reach_them() {
        let mut chance = Chance::new(1, "bounds");
        let drawn: Vec<u32> = (0..1000).map(|_| chance.between(3, 5)).collect();
        assert!(drawn.iter().all(|n| (3..=5).contains(n)) && (3..=5).all(|n| drawn.contains(&n)));
        assert_eq!(chance.below(0), 0);
        assert_eq!(chance.pick(&[]), "");
        assert_eq!((0..1000).filter(|_| chance.happens(0.0)).count(), 0);
        assert_eq!((0..1000).filter(|_| chance.happens(1.0)).count(), 1000);
        let half = (0..1000).filter(|_| chance.happens(0.5)).count();
        assert!((400..600).contains(&half), "{half}");
    }
}
