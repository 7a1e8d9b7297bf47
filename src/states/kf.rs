//! Sessions of 微信客服, and who gets those that wait.

use sqlx::{Decode, Encode, Postgres, Type, encode::IsNull, error::BoxDynError, postgres::PgValueRef};

words! {
    /// Who gets a waiting session (`kf.route`).
    KfRoute in [] => {
        /// The member whose contact the customer is, or else a servicer, or else the pool.
        Owner = "owner",
        /// The pool.
        Pool = "pool",
        /// Nobody: another program or WeCom routes.
        Off = "off",
    }
}

/// The state of a session, as WeCom numbers it; `kf_session.state` holds the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KfState {
    /// Nobody has handled it.
    New,
    /// A bot handles it.
    Bot,
    /// It waits in the pool.
    Pool,
    /// A servicer handles it.
    Human,
    /// It has ended, or never began.
    Ended,
}

impl KfState {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::New, Self::Bot, Self::Pool, Self::Human, Self::Ended];

    /// WeCom's number.
    pub const fn number(self) -> i16 {
        match self {
            Self::New => 0,
            Self::Bot => 1,
            Self::Pool => 2,
            Self::Human => 3,
            Self::Ended => 4,
        }
    }

    /// The state with this number; none if there is none.
    pub fn of(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|it| i64::from(it.number()) == number)
    }
}

impl Type<Postgres> for KfState {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        <i16 as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for KfState {
    fn encode_by_ref(&self, buffer: &mut sqlx::postgres::PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <i16 as Encode<'_, Postgres>>::encode_by_ref(&self.number(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for KfState {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let number = <i16 as Decode<Postgres>>::decode(value)?;
        let unknown = || format!("kf_session.state holds {number}, which this version does not know");
        Self::of(number.into()).ok_or_else(|| unknown().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_state_reads_back_by_its_number() {
        for state in KfState::ALL {
            assert_eq!(KfState::of(state.number().into()), Some(state));
        }
        assert_eq!((KfState::of(5), KfState::of(-1)), (None, None));
    }
}
