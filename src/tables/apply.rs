//! Writing a batch's changes, in the transaction that settles the batch.
//!
//! All transactions write the tables in the same order and rows in key order, so workers wait for each other but
//! never deadlock. The batches of a corp run concurrently. One that moves rows from one userid to another locks the corp
//! exclusively until it commits. The others write records and tasks first, side by side; then they lock the corp's
//! contacts, exclusively if other contacts depend on what they write.

use std::{collections::BTreeSet, io};

use sqlx::PgConnection;

pub use super::privacy::erased_person::Tombstones;
use super::{
    access::{api_token, console_user, login_state},
    archive::{archive_consent, archive_media},
    company::{app_alert, approval, corp_tag, department},
    customers::{
        customer_activity, customer_wechat_contact,
        matching::{self, People},
    },
    groups::{group_chat, group_member},
    handover,
    kf::{kf_account, kf_customer, kf_session},
    orders::{contact_way, contact_way_scan, work_order},
    privacy::erased_person,
    records::{
        message_revocation,
        wechat_contact_record::{self, KnownMonths},
    },
    staff::{
        member,
        member_alias::{self, Found, Moved},
        resignation, staff_wechat_bind,
    },
    task,
};
use crate::{
    changes::{Changes, Named},
    ids::{ContactWayState, CorpId, UserId},
};

/// The first half of the advisory lock of a corp; the second is a hash of the corp.
const CORP_LOCK: i32 = 0x7763_6f72;

/// The first half of the advisory lock of a corp's contacts. It is taken under the shared lock of the corp only: whoever
/// holds the corp's lock exclusively needs no other.
const CONTACTS_LOCK: i32 = 0x7763_6374;

/// Writes everything except the settling, without erased people. Locks the corps exclusively until `conn`'s
/// transaction ends.
pub async fn apply(conn: &mut PgConnection, changes: Changes, months: &mut KnownMonths) -> sqlx::Result<Tombstones> {
    lock(conn, changes.corps(), true).await?;
    let found = member_alias::look(conn, &changes).await?;
    write(conn, changes, found, months, Held::Corps).await
}

/// The same concurrently with other batches, if these changes allow it. Returns `None`, having written nothing, if
/// the changes name members in a new way: the caller then begins again with [`apply`], since upgrading a shared lock
/// could deadlock.
pub async fn apply_beside_others(
    conn: &mut PgConnection,
    changes: Changes,
    months: &mut KnownMonths,
) -> sqlx::Result<Option<Tombstones>> {
    let quiet = changes.need_quiet();
    lock(conn, changes.corps(), quiet).await?;
    let found = member_alias::look(conn, &changes).await?;
    if !quiet && !found.news.is_empty() {
        return Ok(None);
    }
    let held = if quiet { Held::Corps } else { Held::Shared };
    write(conn, changes, found, months, held).await.map(Some)
}

/// Registers a userid as a member's, in the directory's spelling if `by_directory`; returns the member's current
/// userid. Locks the corp exclusively until `conn`'s transaction ends.
pub async fn know(conn: &mut PgConnection, corpid: &CorpId, user: &UserId, by_directory: bool) -> sqlx::Result<UserId> {
    let mut changes = Changes::default();
    let directory_at = if by_directory { Some(super::now(conn).await?) } else { None };
    changes.named.insert((corpid.clone(), user.clone()), Named { said_at: None, directory_at });
    apply(conn, changes, &mut KnownMonths::default()).await?;
    member_alias::current(conn, corpid, user).await
}

/// How the corps of the changes are locked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Exclusively.
    Corps,
    /// Shared with other batches.
    Shared,
}

async fn write(
    conn: &mut PgConnection,
    mut changes: Changes,
    found: Found,
    months: &mut KnownMonths,
    held: Held,
) -> sqlx::Result<Tombstones> {
    let (tombstones, renamed) = identify(conn, &mut changes, found).await?;
    // No contact follows from records, tasks and groups, so other batches may write theirs at the same time.
    //
    // Making a partition locks the whole table for the rest of the transaction, so it happens at the table's place in
    // the order: earlier, two transactions could wait for each other.
    months.ensure(conn, changes.records.keys().map(|(at, ..)| *at)).await?;
    wechat_contact_record::insert(conn, &changes.records).await?;
    message_revocation::upsert(conn, &changes.revocations).await?;
    archive_consent::upsert(conn, &changes.consents).await?;
    archive_media::insert(conn, &changes.archive_media).await?;
    task::upsert(conn, &changes.tasks).await?;
    write_company(conn, &changes).await?;
    if held == Held::Shared {
        lock_contacts(conn, &changes).await?;
    }
    write_contacts(conn, &changes, &renamed).await?;
    Ok(tombstones)
}

/// Writes contacts and members, and what follows from them: matches, handovers, orders.
async fn write_contacts(
    conn: &mut PgConnection,
    changes: &Changes,
    renamed: &BTreeSet<(CorpId, UserId)>,
) -> sqlx::Result<()> {
    customer_activity::upsert(conn, &changes.activity).await?;
    // Most events only add a bare contact or touch a known one. People are matched again only if something in the
    // batch may match them, or if they get a contact besides others.
    let moved = !renamed.is_empty();
    let matchable = changes.contacts.iter().filter(|(_, it)| moved || it.may_match());
    let mut people: People = matchable.map(|((corp, customer, _), _)| (corp.clone(), customer.clone())).collect();
    // A new card may name another unionid, so people who share the old one are derived again, too.
    if changes.contacts.values().any(|it| it.card.is_some()) {
        people = matching::with_same_unionid(conn, &people).await?;
    }
    people.extend(customer_wechat_contact::upsert(conn, &changes.contacts).await?);
    people.extend(kf_customer::upsert(conn, &changes.kf_customers).await?);
    member::upsert(conn, &changes.members).await?;

    let described = changes.members.keys().chain(renamed).cloned().collect::<BTreeSet<_>>();
    if !described.is_empty() {
        let (corps, users) = columns(&described);
        staff_wechat_bind::settle(conn, &corps, &users).await?;
    }
    let gone = changes.members.iter().filter(|(_, it)| it.left_at.is_some()).map(|(key, _)| key.clone());
    let gone = gone.collect::<BTreeSet<_>>();
    if !gone.is_empty() {
        let (corps, users) = columns(&gone);
        turn_out(conn, &corps, &users).await?;
    }
    // Only a rename changes which bindings a userid has; a member may have thousands of contacts to update.
    if !renamed.is_empty() {
        let (corps, users) = columns(renamed);
        customer_wechat_contact::assign_staff(conn, &corps, &users).await?;
    }
    // Handovers in progress whose drivers must look again.
    let mut stirred = BTreeSet::new();
    let in_contact = changes.contacts.keys().map(|(corp, _, user)| (corp.clone(), user.clone()));
    let concerned = described.into_iter().chain(in_contact).collect::<BTreeSet<_>>();
    if !concerned.is_empty() {
        let (corps, users) = columns(&concerned);
        stirred.extend(handover::derive(conn, &corps, &users).await?);
    }
    handover::note_fails(conn, changes).await?;
    stirred.extend(handover::hinted(conn, changes).await?);
    let states = contact_way_scan::upsert(conn, &changes.contacts).await?;
    follow_scans(conn, &states, people).await?;
    handover::wake(conn, &stirred).await
}

/// Writes groups, what is known of the company itself, and accounts and sessions of 微信客服.
async fn write_company(conn: &mut PgConnection, changes: &Changes) -> sqlx::Result<()> {
    group_chat::upsert(conn, &changes.groups).await?;
    group_member::upsert(conn, &changes.group_members).await?;
    let peopled = changes.group_members.keys().map(|(corp, chat, _)| (corp.clone(), chat.clone()));
    let touched = changes.groups.keys().cloned().chain(peopled).collect();
    group_member::settle(conn, &touched).await?;
    department::upsert(conn, &changes.departments).await?;
    corp_tag::read(conn, &changes.tag_lists).await?;
    approval::upsert(conn, &changes.approvals).await?;
    app_alert::upsert(conn, &changes.alerts).await?;
    kf_account::upsert(conn, &changes.kf_accounts).await?;
    kf_session::upsert(conn, &changes.kf_sessions).await
}

/// Resolves all ids in these changes to their current ones, drops erased people, and moves rows of former ids and
/// spellings. Returns the members who received rows.
async fn identify(
    conn: &mut PgConnection,
    changes: &mut Changes,
    mut found: Found,
) -> sqlx::Result<(Tombstones, BTreeSet<(CorpId, UserId)>)> {
    member_alias::confirm(conn, &found.confirmed).await?;
    let mut moves = Vec::new();
    if !found.news.is_empty() {
        moves = learn(conn, changes, &found.news).await?;
        found = member_alias::look(conn, changes).await?;
    }
    changes.recognise(&found.members);
    // Erasing takes the lock exclusively, so the tombstones cannot change now. The rows moved below were recorded
    // before and stay.
    let tombstones = erased_person::any(conn).await?;
    if tombstones == Tombstones::Some {
        let erased = erased_person::of(conn, &changes.people()).await?;
        changes.forget(erased);
    }
    for rename in std::mem::take(&mut changes.renames) {
        moves.push((rename.corpid.clone(), member_alias::rename(conn, &rename).await?));
    }
    let mut renamed = BTreeSet::new();
    if !moves.is_empty() {
        for (corp, moved) in moves {
            move_rows(conn, changes, &corp, &moved).await?;
            renamed.insert((corp, moved.to));
        }
        found = member_alias::look(conn, changes).await?;
        // Whoever was moved in a group goes by the last id, too.
        changes.recognise(&found.members);
        // If one move followed another, the last id counts.
        renamed = resolved(conn, renamed).await?;
    }
    changes.resolve(&found.current);
    Ok((tombstones, renamed))
}

/// Derives again what depends on these contact ways and these people: the first user of a way, the customers'
/// matches, and the orders that become contacted.
pub async fn follow_scans(
    conn: &mut PgConnection,
    states: &BTreeSet<(CorpId, ContactWayState)>,
    mut people: People,
) -> sqlx::Result<()> {
    let states = Vec::from_iter(states.iter().cloned());
    if !states.is_empty() {
        people.extend(contact_way::derive(conn, &states).await?);
    }
    if !people.is_empty() {
        let people = matching::with_same_unionid(conn, &people).await?;
        matching::derive(conn, &people).await?;
    }
    if !states.is_empty() {
        work_order::came(conn, &states).await?;
    }
    Ok(())
}

/// Locks these corps until `conn`'s transaction ends: exclusively (`quiet`), or shared with other batches.
///
/// Corps are locked in a fixed order, so that two transactions that lock several never deadlock.
pub async fn lock(conn: &mut PgConnection, corps: impl IntoIterator<Item = &CorpId>, quiet: bool) -> sqlx::Result<()> {
    let corps: Vec<_> = corps.into_iter().map(|corp| corp.0.clone()).collect();
    take_locks(conn, CORP_LOCK, &corps, quiet).await
}

/// Locks the contacts of the corps whose contacts or members these changes write, until `conn`'s transaction ends:
/// exclusively if other contacts depend on what is written.
async fn lock_contacts(conn: &mut PgConnection, changes: &Changes) -> sqlx::Result<()> {
    let corps = changes.corps_of_contacts();
    if corps.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = corps.into_iter().map(|corp| corp.0.clone()).collect();
    take_locks(conn, CONTACTS_LOCK, &corps, changes.need_contacts_quiet()).await
}

/// Locks one corp exclusively until `conn`'s transaction ends.
pub async fn lock_alone(conn: &mut PgConnection, corp: &CorpId) -> sqlx::Result<()> {
    take_locks(conn, CORP_LOCK, std::slice::from_ref(&corp.0), true).await
}

async fn take_locks(conn: &mut PgConnection, which: i32, corps: &[String], quiet: bool) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        select case when $3 then pg_advisory_xact_lock($1, key) else pg_advisory_xact_lock_shared($1, key) end
        from (select distinct hashtext(corp) as key from unnest($2::text[]) corp order by key) keys
        "#,
        which,
        corps,
        quiet,
    )
    .fetch_all(conn)
    .await
    .map_err(|error| match error.as_database_error().and_then(|it| it.code()).as_deref() {
        // Whoever waits for others is not the cause: no delivery may be blamed for it.
        Some("57014") => {
            io::Error::new(io::ErrorKind::TimedOut, "waited too long for other changes of the corp").into()
        }
        _ => error,
    })?;
    Ok(())
}

/// Learns the spellings of members' ids; returns the members whose rows must move.
async fn learn(
    conn: &mut PgConnection,
    changes: &mut Changes,
    news: &BTreeSet<(CorpId, UserId)>,
) -> sqlx::Result<Vec<(CorpId, Moved)>> {
    let mut moves = Vec::new();
    for (corp, user) in news {
        let named = changes.named.get(&(corp.clone(), user.clone())).copied().unwrap_or_default();
        let moved = member_alias::name(conn, corp, user, named).await?;
        if moved.is_new {
            was_member(conn, corp, &moved.to).await?;
            take_groups(conn, changes, corp, user, &moved.to).await?;
        }
        if !moved.from.is_empty() {
            moves.push((corp.clone(), moved));
        }
    }
    Ok(moves)
}

/// These members under their current ids.
async fn resolved(
    conn: &mut PgConnection,
    users: BTreeSet<(CorpId, UserId)>,
) -> sqlx::Result<BTreeSet<(CorpId, UserId)>> {
    let current = member_alias::resolve(conn, users.iter().map(|(corp, user)| (corp, user))).await?;
    let now = |key: (CorpId, UserId)| match current.get(&key) {
        Some(user) => (key.0, user.clone()),
        None => key,
    };
    Ok(users.into_iter().map(now).collect())
}

/// A sender turns out to be a member: messages recorded as a customer's become theirs.
async fn was_member(conn: &mut PgConnection, corp: &CorpId, user: &UserId) -> sqlx::Result<()> {
    let senders = customer_activity::take(conn, corp, user).await?;
    if !senders.is_empty() {
        wechat_contact_record::were_of(conn, corp, &senders, user).await?;
    }
    Ok(())
}

/// Moves somebody's places in groups, which were recorded under another spelling, or under a former id.
async fn take_groups(
    conn: &mut PgConnection,
    changes: &mut Changes,
    corp: &CorpId,
    from: &UserId,
    to: &UserId,
) -> sqlx::Result<()> {
    for (chat, it) in group_member::take(conn, corp, from).await? {
        changes.group_members.entry((corp.clone(), chat, to.0.clone())).or_default().absorb(it);
    }
    Ok(())
}

/// Moves everything from a former id, or a former spelling, to the current one. Rows that the batch folds itself are
/// taken out and put into the batch; the rest is updated in place.
async fn move_rows(conn: &mut PgConnection, changes: &mut Changes, corp: &CorpId, moved: &Moved) -> sqlx::Result<()> {
    for from in &moved.from {
        for (customer, contact) in customer_wechat_contact::take(conn, corp, from).await? {
            changes.contacts.entry((corp.clone(), customer, moved.to.clone())).or_default().absorb(contact);
        }
        if let Some(member) = member::take(conn, corp, from).await? {
            changes.members.entry((corp.clone(), moved.to.clone())).or_default().absorb(member);
        }
        take_groups(conn, changes, corp, from, &moved.to).await?;
        group_chat::rename(conn, corp, from, &moved.to).await?;
        group_member::rename_invitor(conn, corp, from, &moved.to).await?;
        wechat_contact_record::rename(conn, corp, from, &moved.to).await?;
        staff_wechat_bind::rename(conn, corp, from, &moved.to).await?;
        handover::rename(conn, corp, from, &moved.to).await?;
        contact_way::rename(conn, corp, from, &moved.to).await?;
        resignation::rename(conn, corp, from, &moved.to).await?;
        console_user::rename(conn, corp, from, &moved.to).await?;
        archive_consent::rename(conn, corp, from, &moved.to).await?;
    }
    Ok(())
}

/// Ends a leaver's access: their tokens, links and sessions, and their pending requests.
async fn turn_out(conn: &mut PgConnection, corps: &[String], users: &[String]) -> sqlx::Result<()> {
    let (corps_of, staff) = staff_wechat_bind::left(conn, corps, users).await?;
    if !staff.is_empty() {
        api_token::revoke_of(conn, &corps_of, &staff).await?;
        login_state::forget_of(conn, &corps_of, &staff).await?;
    }
    console_user::turn_out(conn, corps, users).await?;
    resignation::left(conn, corps, users).await
}

fn columns(keys: &BTreeSet<(CorpId, UserId)>) -> (Vec<String>, Vec<String>) {
    keys.iter().map(|(corp, user)| (corp.0.clone(), user.0.clone())).unzip()
}
