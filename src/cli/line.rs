//! A command's line in the access log: whoever may run commands here reads and changes what an administrator does.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::tables::access::access_log::{self, Entry};

/// Who it was, as far as is known: somebody with a shell on this machine.
pub(super) const WHO: &str = "command line";

/// What stands for what a command does not have.
const NOTHING: &str = "-";

/// Writes down that a command was carried out, and on what.
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
