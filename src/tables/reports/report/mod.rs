//! Reads the views of schema `reporting` by day, in order, page by page.
//!
//! Every function reads one view. No SQL name comes from outside, and no function reads days that are not asked for.

mod row;

pub use row::{
    AdditionsAndLosses, ContactsByStaffDay, ContactsByTag, FirstResponseTime, GroupActivity, HandoverOutcomes,
    MessageVolumes, Row, RowPosition, UnmatchedCustomers, WorkOrderFunnel,
};

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::states::{ContactStatus, ContactType, HandoverCause, HandoverState, ItemKind};
use crate::tables::access::own::Own;

/// Which rows of a report.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The first day, in Asia/Shanghai.
    pub since: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
    /// Only of this staff member.
    pub staff_id: Option<String>,
    /// Only of members of these departments, each as `corpid/number`.
    pub departments: Option<Vec<String>>,
    /// Only of contacts that carry this tag; in reports whose rows are about contacts.
    pub tag: Option<String>,
    /// Only of this staff member, in their corp.
    pub own: Option<Own>,
    /// Only those after this position.
    pub after: Option<RowPosition>,
}

impl Filter {
    /// The first day that can hold a row.
    fn first_day(&self) -> NaiveDate {
        self.after.as_ref().map_or(self.since, |(day, ..)| self.since.max(*day))
    }

    fn after(&self) -> (Option<NaiveDate>, Option<&str>, Option<&str>) {
        match &self.after {
            Some((day, first, second)) => (Some(*day), Some(first), Some(second)),
            None => (None, None, None),
        }
    }
}

/// How long a report may take.
const TIME_LIMIT: &str = "60s";

/// Prepares a transaction for a report; the settings hold until it ends.
///
/// The planner cannot tell how few days are asked for: it estimates every report as very long and would spend a
/// second on JIT compilation for a query of a tenth. The plan does not depend on the parameters, but planning takes
/// longer with each monthly partition, so each connection plans once.
/// each month that has a partition: each connection makes it once.
pub async fn prepare(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        select
            set_config('jit', 'off', true) as jit, set_config('plan_cache_mode', 'force_generic_plan', true) as plan,
            set_config('statement_timeout', $1, true) as timeout
        "#,
        TIME_LIMIT,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Today by the reports' calendar.
pub async fn today(conn: &mut PgConnection) -> sqlx::Result<NaiveDate> {
    sqlx::query_scalar!(r#"select (now() at time zone 'Asia/Shanghai')::date as "today!""#).fetch_one(conn).await
}

/// The common part of all reports: a range of days, a position to continue from, and, for those by staff member, a
/// filter. The parts are joined at compile time and checked like every statement.
macro_rules! report {
    (
        $(#[$doc:meta])* $name:ident: $row:ty, $columns:tt, from $view:tt, by staff $user:tt $(, tagged $tag:tt)?,
        ordered by $first:tt, $second:tt
    ) => {
        $(#[$doc])*
        pub async fn $name(conn: &mut PgConnection, filter: &Filter, limit: i64) -> sqlx::Result<Vec<$row>> {
            let (day, first, second) = filter.after();
            let (own_corp, own_staff) = Own::parts(filter.own.as_ref());
            sqlx::query_as!(
                $row,
                "select " + $columns + " from " + $view + " report where day between $1 and $2
                    and ($3::date is null or (day, " + $first + ", " + $second + ") > ($3, $4::text, $5::text))
                    and ($7::text is null or staff_id = $7)
                    and ($8::text is null or (corpid = $8 and staff_id = $9))
                    and ($10::text[] is null or exists (
                        select from member
                        cross join lateral unnest(string_to_array(member.department, ',')) own (id)
                        where member.corpid = report.corpid and member.wechat_userid = " + $user + "
                            and member.corpid || '/' || own.id = any($10)
                    ))
                    and ($11::text is null" $(+ " or " + $tag)? + ")
                order by day, " + $first + ", " + $second + " limit $6",
                filter.first_day(),
                filter.until,
                day,
                first,
                second,
                limit,
                filter.staff_id,
                own_corp,
                own_staff,
                filter.departments.as_deref(),
                filter.tag,
            )
            .fetch_all(conn)
            .await
        }
    };
    ($(#[$doc:meta])* $name:ident: $row:ty, $columns:tt, from $view:tt, ordered by $first:tt, $second:tt) => {
        $(#[$doc])*
        pub async fn $name(conn: &mut PgConnection, filter: &Filter, limit: i64) -> sqlx::Result<Vec<$row>> {
            let (day, first, second) = filter.after();
            sqlx::query_as!(
                $row,
                "select " + $columns + " from " + $view + " where day between $1 and $2
                    and ($3::date is null or (day, " + $first + ", " + $second + ") > ($3, $4::text, $5::text))
                order by day, " + $first + ", " + $second + " limit $6",
                filter.first_day(),
                filter.until,
                day,
                first,
                second,
                limit,
            )
            .fetch_all(conn)
            .await
        }
    };
}

report! {
    /// How many customers each staff member was in contact with, by day.
    contacts_by_staff_day: ContactsByStaffDay,
    r#"
        day as "day!", corpid as "corpid!", wechat_userid as "wechat_userid?", staff_id as "staff_id?",
        customers as "customers!", records as "records!", messages as "messages!", events as "events!",
        first_at as "first_at!", last_at as "last_at!"
    "#,
    from "reporting.contacts_by_staff_day", by staff "report.wechat_userid",
    ordered by "corpid", "coalesce(wechat_userid, '')"
}

report! {
    /// From a customer's first message of a day to the first answer.
    first_response_time: FirstResponseTime,
    r#"
        day as "day!", corpid as "corpid!", wechat_userid as "wechat_userid?", staff_id as "staff_id?",
        conversations as "conversations!", answered as "answered!", median_s as "median_s?", p90_s as "p90_s?",
        longest_s as "longest_s?"
    "#,
    from "reporting.first_response_time", by staff "report.wechat_userid",
    ordered by "corpid", "coalesce(wechat_userid, '')"
}

report! {
    /// Customers won and lost, by staff member and day.
    additions_and_losses: AdditionsAndLosses,
    r#"
        day as "day!", corpid as "corpid!", wechat_userid as "wechat_userid!", staff_id as "staff_id?",
        added as "added!", half_added as "half_added!", deleted_by_member as "deleted_by_member!", lost as "lost!",
        transferred_out as "transferred_out!", gone as "gone!", net as "net!"
    "#,
    from "reporting.additions_and_losses", by staff "report.wechat_userid",
    ordered by "corpid", "wechat_userid"
}

report! {
    /// How far the work orders made on a day have come by now; a stage that was skipped counts as passed.
    work_order_funnel: WorkOrderFunnel,
    r#"
        day as "day!", corpid as "corpid!", staff_id as "staff_id?", created as "created!",
        assigned as "assigned!", contacted as "contacted!", quoted as "quoted!", confirmed as "confirmed!",
        done as "done!", cancelled as "cancelled!", open as "open!", to_contact_median_s as "to_contact_median_s?"
    "#,
    from "reporting.work_order_funnel",
    by staff "(
        select bind.wechat_userid from staff_wechat_bind bind
        where bind.corpid = report.corpid and bind.staff_id = report.staff_id order by bind.bound_at desc limit 1
    )",
    ordered by "corpid", "coalesce(staff_id, '')"
}

report! {
    /// What became of each handover, by what was handed over; of each item the last round counts.
    handover_outcomes: HandoverOutcomes,
    r#"
        day as "day!", corpid as "corpid!", handover_id as "handover_id!", wechat_userid as "wechat_userid!",
        staff_id as "staff_id?", cause as "cause!: HandoverCause", state as "state!: HandoverState",
        kind as "kind?: ItemKind", items as "items!",
        done as "done!", refused as "refused!", full_up as "full_up!", gone as "gone!", failed as "failed!",
        cancelled as "cancelled!", under_way as "under_way!", left_at as "left_at?",
        submitted_at as "submitted_at?", finished_at as "finished_at?", overdue as "overdue!"
    "#,
    from "reporting.handover_outcomes", by staff "report.wechat_userid",
    ordered by "lpad(handover_id::text, 19, '0')", "coalesce(kind, '')"
}

report! {
    /// Messages by type and day.
    message_volumes: MessageVolumes,
    r#"
        day as "day!", corpid as "corpid!", contact_type as "contact_type!: ContactType", messages as "messages!",
        from_customers as "from_customers!", from_members as "from_members!", by_hand as "by_hand!",
        customers as "customers!"
    "#,
    from "reporting.message_volumes",
    ordered by "corpid", "contact_type"
}

report! {
    /// Contacts not matched to a customer of the business, a row for each customer and member.
    unmatched_customers: UnmatchedCustomers,
    r#"
        day as "day!", corpid as "corpid!", external_userid as "external_userid!", nickname as "nickname?",
        wechat_userid as "wechat_userid!", staff_id as "staff_id?", status as "status!: ContactStatus", state as "state?",
        add_way as "add_way?", known_since as "known_since!", last_contact_time as "last_contact_time?",
        candidates as "candidates!", time_is_arrival as "time_is_arrival!"
    "#,
    from "reporting.unmatched_customers",
    by staff "report.wechat_userid",
    tagged "exists (
        select from contact_tag given
        where given.corpid = report.corpid and given.external_userid = report.external_userid
            and given.wechat_userid = report.wechat_userid and given.tag_id = $11
    )",
    ordered by "corpid", "external_userid || ' ' || wechat_userid"
}

report! {
    /// Contacts that carry a tag of the company, by the day they became contacts.
    contacts_by_tag: ContactsByTag,
    r#"
        day as "day!", corpid as "corpid!", tag_id as "tag_id!", tag as "tag?", tag_group as "tag_group?",
        wechat_userid as "wechat_userid!", staff_id as "staff_id?", contacts as "contacts!", matched as "matched!"
    "#,
    from "reporting.contacts_by_tag",
    by staff "report.wechat_userid",
    tagged "report.tag_id = $11",
    ordered by "corpid", "tag_id || ' ' || wechat_userid"
}

report! {
    /// Who joined and left each customer group, and its messages.
    group_activity: GroupActivity,
    r#"
        day as "day!", corpid as "corpid!", chat_id as "chat_id!", name as "name?", owner_userid as "owner_userid?",
        staff_id as "staff_id?", joined as "joined!", gone as "gone!", messages as "messages!",
        from_customers as "from_customers!", writers as "writers!"
    "#,
    from "reporting.group_activity",
    by staff "report.owner_userid",
    ordered by "corpid", "chat_id"
}
