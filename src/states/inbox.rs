//! Deliveries in the inbox.

/// What brought a delivery. It decides how the plaintext is read, so that no callback can pass for a pulled message.
/// `inbox.origin` holds its number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// WeCom called back.
    #[default]
    Callback,
    /// A message of the archive (会话内容存档).
    Archive,
    /// A message or an event of 微信客服.
    Kf,
}

impl Origin {
    /// Every origin, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Callback, Self::Archive, Self::Kf];

    /// The stored number.
    pub const fn number(self) -> i16 {
        match self {
            Self::Callback => 0,
            Self::Archive => 1,
            Self::Kf => 2,
        }
    }

    /// The origin with this number; none for a number of another version.
    pub fn of(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.number() == number)
    }

    /// Its word: the source of its records, and the beginning of its events' names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "app",
            Self::Archive => "archive",
            Self::Kf => "kf",
        }
    }
}

words! {
    /// How a delivery stands. Never stored: derived from where it has a row.
    described DeliveryState in [] => {
        /// Still to be recorded.
        Pending = "pending",
        /// Set aside for a person.
        Parked = "parked",
        /// Kept and counted; nothing is recorded from it.
        Ignored = "ignored",
        /// Its contents are in the tables.
        Recorded = "recorded",
        /// It was about somebody who was erased: it came, and nothing of it is kept.
        Erased = "erased",
    }
}
