//! Gives a leaver's open sessions of 微信客服 to their successors, or to the pool.
//!
//! If the successor does not receive customers, the pool gets the session. WeCom's documents know no way from a servicer to
//! the pool; where it refuses that, the session waits for the successor. Safe to repeat: a session that somebody else has
//! by then refuses the move.

use std::collections::BTreeSet;

use super::{
    drive::{Driver, Trouble},
    item::Fact,
    transition::{By, WECOM, settle, transition},
};
use crate::{
    changes::{Changes, KfState},
    ids::{KfSessionKey, UserId},
    states::ItemKind,
    tables::{
        self, apply,
        handover::{self, Handover, Heard, Taken},
        records::wechat_contact_record::KnownMonths,
    },
    wecom::{
        Api, ApiError, Class,
        kf::{MOVED_ALREADY, NO_INQUIRY, NOT_SERVING},
    },
};

/// How many sessions are read at once.
const SESSIONS_MAX: i64 = 100;

/// What became of a session.
enum Went {
    /// The successor has it, or the pool without one.
    To(Option<UserId>),
    /// Somebody else has it, or it has ended.
    Elsewhere,
    /// Nobody can take it now.
    Later,
    /// WeCom will not move it.
    Refused(ApiError),
}

impl Driver<'_> {
    /// Moves every planned session. Returns whether some are left for later.
    pub(super) async fn hand_sessions(&self, handover: &Handover) -> Result<bool, Trouble> {
        let (mut tried, mut left) = (Vec::new(), false);
        loop {
            let Some((mut transaction, current)) = self.begin().await? else { return Ok(left) };
            if current.cancelled_at.is_some() || current.submitted_at.is_none() {
                return Ok(left);
            }
            let items = handover::planned(&mut transaction, self.id, ItemKind::Session, &tried, SESSIONS_MAX).await?;
            transaction.commit().await?;
            if items.is_empty() {
                return Ok(left);
            }
            let api = self.wecom.corp(&handover.corpid).await?;
            for item in items {
                tried.push(item.id);
                let Some(key) = KfSessionKey::of(&item.subject) else { continue };
                match hand(&api, &key, &item.successor_userid).await? {
                    Went::Later => left = true,
                    went => self.handed(&item, key, went).await?,
                }
            }
        }
    }

    /// Takes in what became of a session.
    async fn handed(&self, item: &Taken, key: KfSessionKey, went: Went) -> Result<(), Trouble> {
        let Some((mut transaction, handover)) = self.begin().await? else { return Ok(()) };
        let conn = &mut *transaction;
        let (fact, cause, reason) = match &went {
            Went::To(Some(_)) => (Fact::HandedOver, "会话已转给接替员工", None),
            Went::To(None) => (Fact::HandedOver, "接替员工未在接待，会话已放入待接入池", None),
            Went::Later => return Ok(()),
            Went::Elsewhere => (Fact::NoLongerTheirs, "会话已由他人接待或已结束", None),
            Went::Refused(error) => (Fact::GivenUp, "企业微信拒绝了请求", Some(error)),
        };
        let words =
            |error: &&ApiError| error.meaning().map_or_else(|| error.message.to_string(), |it| it.zh.to_owned());
        let reason_text = reason.as_ref().map(words);
        let errcode = reason.and_then(|it| it.errcode);
        let heard = Heard { item: item.id, errcode, reason: reason_text, ..Heard::default() };
        let by = By { actor: WECOM, cause };
        transition(conn, fact, &[heard], by).await?;
        if let Went::To(servicer) = went {
            let now = tables::now(conn).await?;
            let state = if servicer.is_some() { KfState::Human } else { KfState::Pool };
            let mut changes = Changes::default();
            changes.kf_session(&handover.corpid, key).became(state, servicer.as_ref(), now);
            apply::apply(conn, changes, &mut KnownMonths::default()).await?;
        }
        settle(conn, self.id, by).await?;
        Ok(transaction.commit().await?)
    }
}

/// Moves a session to the successor if they receive customers, or else to the pool.
async fn hand(api: &Api, key: &KfSessionKey, successor: &UserId) -> Result<Went, Trouble> {
    let receiving: BTreeSet<_> = api
        .kf_servicers(&key.open_kfid)
        .await?
        .into_iter()
        .filter(|it| it.status == 0)
        .map(|it| it.userid.key())
        .collect();
    let mut to = receiving.contains(&successor.key()).then(|| successor.clone());
    loop {
        let is = |error: &ApiError, codes: &[i64]| error.errcode.is_some_and(|code| codes.contains(&code));
        match api.kf_move(key, to.as_ref()).await {
            Ok(()) => return Ok(Went::To(to)),
            Err(error) if to.is_some() && is(&error, &NOT_SERVING) => to = None,
            Err(error) if is(&error, &MOVED_ALREADY) => {
                let found = api.kf_state(key).await?;
                let still = found.state == KfState::Human && to.is_none();
                return Ok(if still { Went::Later } else { Went::Elsewhere });
            }
            Err(error) if error.is(NO_INQUIRY) => return Ok(Went::Elsewhere),
            Err(error) if error.class == Class::Refused && !error.needs_operator() => return Ok(Went::Refused(error)),
            Err(error) => return Err(error.into()),
        }
    }
}
