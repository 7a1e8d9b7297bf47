//! The access log's line of a command: commands read and change data as an administrator does.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::tables::access::access_log::{self, Entry};

/// The caller: somebody with a shell on this machine.
pub(super) const WHO: &str = "command line";

/// Placeholder for fields that a command does not have.
const NOTHING: &str = "-";

/// Logs that a command was carried out, and on which subject.
pub(super) async fn note(conn: &mut PgConnection, command: &str, subject: &str) -> sqlx::Result<()> {
    let entry = Entry {
        token_id: None,
        who: WHO,
        role: NOTHING,
        method: "CLI",
        route: command,
        subject,
        customer: "",
        status: 200,
        times: 1,
        request_id: Uuid::now_v7(),
        address: NOTHING,
    };
    access_log::append(conn, &entry).await
}
