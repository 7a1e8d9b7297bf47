//! The private PostgreSQL: what happens to it when processes end in the wrong order.

use sqlx::{Connection, PgConnection};
use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};
use wecomd::embedded::{Durability, Embedded, EmbeddedError};

use crate::support::folder::{Folder, is_running};

#[tokio::test]
async fn a_new_folder_becomes_a_durable_server_whose_data_outlives_it() {
    let folder = Folder::new("outlives");
    let first = Embedded::start(folder.path(), Durability::Full).await.expect("the first start");
    assert_eq!(ask(&first, "show fsync").await, "on");
    assert_eq!(ask(&first, "show listen_addresses").await, "");
    ask(&first, "create table kept as select 'still here' as text").await;
    assert!(first.log_path().is_file());
    first.stop().await.expect("stopped");

    let second = Embedded::start(folder.path(), Durability::Full).await.expect("the second start");
    assert_eq!(ask(&second, "select text from kept").await, "still here");
    second.stop().await.expect("stopped");
}

#[tokio::test]
async fn dropping_a_server_stops_its_processes() {
    let folder = Folder::new("dropped");
    let server = Embedded::start(folder.path(), Durability::Throwaway).await.expect("started");
    let (url, pid) = (server.url("wecomd"), server.pid());
    assert!(is_running(pid));
    drop(server);
    assert!(!is_running(pid));
    PgConnection::connect(&url).await.expect_err("nobody answers");
}

#[tokio::test]
async fn a_folder_belongs_to_one_process_at_a_time() {
    let folder = Folder::new("shared");
    let first = Embedded::start(folder.path(), Durability::Throwaway).await.expect("started");
    let error = Embedded::start(folder.path(), Durability::Throwaway).await.expect_err("the folder is taken");
    assert!(matches!(error, EmbeddedError::InUse(_)), "{error}");
    assert_eq!(ask(&first, "select 'undisturbed'").await, "undisturbed");
}

#[tokio::test]
async fn a_server_whose_owner_was_killed_is_adopted_by_the_next() {
    let folder = Folder::new("adopted");
    let orphan = leave_an_orphan(&folder, "a_server_whose_owner_was_killed_is_adopted_by_the_next").await;
    let adopted = Embedded::start(folder.path(), Durability::Throwaway).await.expect("adopted");
    assert_eq!(adopted.pid(), orphan);
    assert_eq!(ask(&adopted, "select 'hello'").await, "hello");
    adopted.stop().await.expect("an adopted server stops, too");
    assert!(!is_running(orphan));
}

#[tokio::test]
async fn a_throwaway_server_is_not_adopted_for_data_that_matters() {
    let folder = Folder::new("unfit");
    let orphan = leave_an_orphan(&folder, "a_throwaway_server_is_not_adopted_for_data_that_matters").await;
    let server = Embedded::start(folder.path(), Durability::Full).await.expect("started");
    assert_ne!(server.pid(), orphan);
    assert_eq!(ask(&server, "show fsync").await, "on");
    server.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_killed_server_starts_again_although_its_remains_are_in_the_way() {
    let folder = Folder::new("killed");
    let server = Embedded::start(folder.path(), Durability::Full).await.expect("started");
    ask(&server, "create table kept as select 'committed' as text").await;
    let killed = Command::new("kill").args(["-9", &server.pid().to_string()]).status().expect("kill");
    assert!(killed.success());
    // Dropped at once: the killed server's children are still there when the next start begins.
    drop(server);

    let again = Embedded::start(folder.path(), Durability::Full).await.expect("started again");
    assert_eq!(ask(&again, "select text from kept").await, "committed");
    again.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_cluster_that_was_never_finished_is_made_anew() {
    let folder = Folder::new("unfinished");
    fs::write(folder.path().join("wecomd.lock"), "").expect("the mark of an earlier start");
    fs::create_dir(folder.path().join("data.new")).expect("a folder");
    fs::write(folder.path().join("data.new/PG_VERSION"), "15\n").expect("half a cluster");
    let server = Embedded::start(folder.path(), Durability::Throwaway).await.expect("started");
    assert_eq!(ask(&server, "select current_database()::text").await, "wecomd");
}

#[tokio::test]
async fn a_folder_with_other_files_is_left_alone() {
    let folder = Folder::new("foreign");
    fs::write(folder.path().join("letters.txt"), "dear").expect("a file");
    let error = Embedded::start(folder.path(), Durability::Throwaway).await.expect_err("refused");
    assert!(matches!(error, EmbeddedError::NotOurs(_)), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
}

#[tokio::test]
async fn a_folder_too_deep_for_a_socket_is_refused_before_anything_is_made() {
    let folder = Folder::new("deep");
    let deep = folder.path().join("a".repeat(80));
    let error = Embedded::start(&deep, Durability::Throwaway).await.expect_err("refused");
    assert!(matches!(error, EmbeddedError::TooDeep { .. }), "{error}");
    assert!(!deep.exists());
}

#[tokio::test]
async fn running_as_root_names_the_folder_that_the_database_cannot_enter() {
    let folder = Folder::new("private");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("chmod");
    let started = Embedded::start(&folder.path().join("database"), Durability::Throwaway).await;
    if fs::metadata(folder.path()).expect("it is ours").uid() == 0 {
        let error = started.expect_err("closed to everybody but root").to_string();
        assert!(error.contains(&format!("cannot enter {}:", folder.path().display())), "{error}");
    } else {
        started.expect("our own folder is open to us").stop().await.expect("stopped");
    }
}

/// The one text that a statement returns, or nothing.
async fn ask(server: &Embedded, sql: &'static str) -> String {
    let mut connection = PgConnection::connect(&server.url("wecomd")).await.expect("a connection");
    let answer: Option<String> = sqlx::query_scalar(sql).fetch_optional(&mut connection).await.expect(sql);
    connection.close().await.expect("closed");
    answer.unwrap_or_default()
}

/// Runs `test` again in a separate process, which starts a server and aborts.
async fn leave_an_orphan(folder: &Folder, test: &str) -> u32 {
    const CHILD: &str = "WECOMD_TEST_ORPHAN";
    if let Some(dir) = env::var_os(CHILD) {
        let server = Embedded::start(Path::new(&dir), Durability::Throwaway).await.expect("started");
        fs::write(Path::new(&dir).join("pid"), server.pid().to_string()).expect("noted");
        // Nothing is cleaned up after an abort, and this process has created a folder that it does not use.
        let _ = fs::remove_dir_all(folder.path());
        std::process::abort();
    }
    let module = module_path!().split_once("::").map_or("", |(_, module)| module);
    let itself = env::current_exe().expect("this program");
    let output =
        Command::new(itself).args(["--exact", &format!("{module}::{test}")]).env(CHILD, folder.path()).output();
    let output = output.expect("it ran");
    assert!(!output.status.success(), "it died");
    let pid = fs::read_to_string(folder.path().join("pid")).expect("it had started a server");
    pid.parse().expect("a number")
}
