//! The roles of a private cluster: wecomd's, which is not a superuser, and the cluster's own, which nobody connects
//! as.
//!
//! Roles are made, and clusters of earlier versions converted, in PostgreSQL's single-user mode before the server
//! starts, so a superuser never needs to connect. Each step is one transaction and may be repeated, and a mark in the
//! folder says that all are done: a conversion that was killed continues at the next start.

use std::path::Path;

use super::{
    error::EmbeddedError,
    site::{ROLE, Site, run},
};

/// The cluster's own role: it owns the catalogue, and is used in single-user mode only.
pub(super) const SUPERUSER: &str = "wecomd_superuser";

/// Makes the missing roles, and lists the databases.
const ROLES: &str = include_str!("roles.sql");

/// Makes wecomd the owner of its objects in one database.
const OWNER: &str = include_str!("owner.sql");

/// The text that single-user mode prints before a database's name.
const NAME_MARK: &str = "database:";

/// Makes the roles and the database of a new cluster.
pub(super) fn make(site: &Site, data: &Path) -> Result<(), EmbeddedError> {
    single(site, data, "postgres", ROLES)?;
    single(site, data, "postgres", &format!("create database {ROLE} owner {ROLE};\n\n")).map(drop)
}

/// Converts the cluster of an earlier version, in which wecomd's role was the superuser.
pub(super) fn convert(site: &Site) -> Result<(), EmbeddedError> {
    let said = single(site, site.data(), "postgres", ROLES)?;
    for database in names(&said) {
        single(site, site.data(), &database, OWNER)?;
    }
    Ok(())
}

/// Runs statements in single-user mode; each ends with a semicolon and an empty line. Returns the output.
fn single(site: &Site, data: &Path, database: &str, statements: &str) -> Result<String, EmbeddedError> {
    let mut postgres = site.tool("postgres");
    postgres.args(["--single", "-j", "-c", "exit_on_error=on", "-D"]).arg(data).arg(database);
    run("postgres --single", &mut postgres, statements)
}

/// The databases' names in the output.
fn names(said: &str) -> Vec<String> {
    let named = said.split(NAME_MARK).skip(1);
    let named = named.filter_map(|it| hex::decode(it.split(':').next()?).ok());
    named.filter_map(|it| String::from_utf8(it).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_names_are_found_among_other_output() {
        let said = "backend> database:7765636f6d64:\ndatabase:e5b7a520313a:\nbackend> \n";
        assert_eq!(names(said), ["wecomd", "工 1:"]);
        assert_eq!(names("PostgreSQL stand-alone backend 15"), [""; 0]);
    }

    #[test]
    fn the_sql_statements_use_the_role_names_of_the_program() {
        for sql in [ROLES, OWNER] {
            assert!(sql.contains(SUPERUSER) && sql.contains(&format!(" {ROLE}")) && sql.ends_with(";\n\n"));
        }
    }
}
