//! Who may do what in a private PostgreSQL, what its processes know, and how clusters of earlier versions are converted.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use wecomd::{
    embedded::{Durability, Embedded},
    sandbox::{AppKind, Push},
};

use crate::support::{
    Company, Daemon,
    daemon::program,
    database::{execute, texts},
    folder::Folder,
    http::request,
    plaintext::contact,
    wait::until,
};

/// The variable that no child process may get.
const SECRETS: [(&str, &str); 2] = [("AWS_SECRET_ACCESS_KEY", "aws-very-secret"), ("SOMETHING_ELSE", "not-a-child-s")];

/// Where PostgreSQL's programs are.
fn bin() -> PathBuf {
    PathBuf::from(std::env::var_os("WECOMD_PG_BIN").expect("scripts/with-postgres says where"))
}

/// The names in the environment of a process.
fn environment(pid: u32) -> Vec<String> {
    let environ = fs::read(format!("/proc/{pid}/environ")).expect("it runs, and we may look");
    let entries = environ.split(|it| *it == 0).map(|it| String::from_utf8_lossy(it).into_owned());
    entries.filter_map(|it| Some(it.split_once('=')?.0.to_owned())).collect()
}

/// A folder that whoever runs PostgreSQL may enter.
fn open_folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    folder
}

#[expect(clippy::disallowed_methods, reason = "tests ask freely")]
async fn refused(conn: &mut PgConnection, sql: &str) -> bool {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.is_err()
}

#[tokio::test]
async fn no_child_inherits_the_master_key_or_anything_else() {
    let (folder, company) = (open_folder("children"), Company::new());
    let programs = folder.path().join("bin");
    fs::create_dir(&programs).expect("a folder");
    for entry in fs::read_dir(bin()).expect("programs") {
        let entry = entry.expect("a program");
        if entry.file_name() != "pg_dump" {
            std::os::unix::fs::symlink(entry.path(), programs.join(entry.file_name())).expect("a link");
        }
    }
    // Writes its environment to a file, then runs the real program.
    let said = folder.path().join("said");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] || env > {}\nexec {} \"$@\"\n",
        said.display(),
        bin().join("pg_dump").display()
    );
    fs::write(programs.join("pg_dump"), script).expect("written");
    fs::set_permissions(programs.join("pg_dump"), fs::Permissions::from_mode(0o755)).expect("chmod");

    let data = folder.path().join("data");
    let mut settings =
        vec![("WECOMD_PG_BIN", programs.to_str().expect("UTF-8")), ("WECOMD_DATA_DIR", data.to_str().expect("UTF-8"))];
    settings.extend(SECRETS);
    let daemon = Daemon::start(&company.key, &settings, &[]).await;
    let pid = fs::read_to_string(data.join("postgres/data/postmaster.pid")).expect("a server");
    let mut known = environment(pid.lines().next().and_then(|it| it.trim().parse().ok()).expect("a number"));
    known.retain(|it| !["PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "LC_ALL"].contains(&it.as_str()));
    // What PostgreSQL sets for itself.
    known.retain(|it| !it.starts_with("PG"));
    assert_eq!(known, [""; 0]);

    let mut backup = program(folder.path());
    backup.arg("backup").env("WECOMD_MASTER_KEY", &company.key).envs(settings);
    let made = tokio::process::Command::from(backup).output().await.expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let said = fs::read_to_string(&said).expect("pg_dump ran");
    assert!(said.contains("PGUSER=wecomd"), "{said}");
    assert!(!said.contains(&company.key) && !said.contains("WECOMD_"), "{said}");
    assert!(SECRETS.iter().all(|(name, value)| !said.contains(name) && !said.contains(value)), "{said}");
    drop(daemon);
}

#[tokio::test]
async fn the_role_of_wecomd_cannot_become_superuser_read_files_or_run_programs() {
    let folder = Folder::new("roles");
    let server = Embedded::start(folder.path(), Durability::Throwaway).await.expect("started");
    let mut conn = PgConnection::connect(&server.url("wecomd")).await.expect("connects");
    for sql in [
        "select pg_read_file('/etc/hostname')",
        "create table it (line text); copy it from program 'id'",
        "alter role wecomd superuser",
        "create role it superuser",
        "set role wecomd_superuser",
        "set session authorization wecomd_superuser",
        "grant wecomd_superuser to wecomd",
        "alter role wecomd_superuser login",
        "grant pg_execute_server_program to wecomd",
        "grant pg_read_server_files to wecomd",
        "grant pg_write_server_files to wecomd",
        "alter system set log_statement = 'all'",
    ] {
        assert!(refused(&mut conn, sql).await, "{sql}");
    }
    // It may do what it needs for its work.
    for sql in ["create role reader login", "create database scratch", "drop database scratch", "create table kept ()"]
    {
        assert!(!refused(&mut conn, sql).await, "{sql}");
    }
    conn.close().await.expect("closed");
    let as_superuser = server.url("wecomd").replace("//wecomd@", "//wecomd_superuser@");
    PgConnection::connect(&as_superuser).await.expect_err("nobody connects as a superuser");
    server.stop().await.expect("stopped");
}

/// A cluster as earlier versions made it: wecomd's role is its superuser.
struct Old {
    folder: Folder,
}

impl Old {
    fn new() -> Self {
        let folder = open_folder("old");
        let (dir, data) = (folder.path().join("postgres"), folder.path().join("postgres/data"));
        fs::create_dir(&dir).expect("a folder");
        fs::write(dir.join("wecomd.lock"), "").expect("written");
        fs::create_dir(&data).expect("a folder");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("chmod");
        let old = Self { folder };
        if let Some((uid, gid)) = account() {
            chown(&data, Some(uid), Some(gid)).expect("chown");
        }
        let mut initdb = old.tool("initdb");
        initdb.args(["-U", "wecomd", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-D"]).arg(&data);
        assert!(initdb.output().expect("it runs").status.success());
        let mut single = old.tool("postgres");
        single.args(["--single", "-D"]).arg(&data).arg("postgres").stdin(Stdio::piped());
        let mut single = single.spawn().expect("it runs");
        std::io::Write::write_all(single.stdin.as_mut().expect("its input"), b"create database wecomd;\n")
            .expect("read");
        assert!(single.wait_with_output().expect("it ends").status.success());
        old
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("postgres")
    }

    fn tool(&self, name: &str) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(bin().join(name));
        command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = account() {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Starts its server as an earlier version did, and leaves it running.
    fn serve(&self) -> sqlx::PgPool {
        let data = self.dir().join("data");
        let mut start = self.tool("pg_ctl");
        let options = format!("-c listen_addresses= -k {} -p 5432", data.display());
        start.args(["start", "-w", "-o", &options, "-l", "/dev/null", "-D"]).arg(&data);
        assert!(start.status().expect("it runs").success());
        sqlx::PgPool::connect_lazy(&self.url()).expect("a URL")
    }

    fn stop(&self) {
        let mut stop = self.tool("pg_ctl");
        stop.args(["stop", "-w", "-m", "fast", "-D"]).arg(self.dir().join("data"));
        assert!(stop.status().expect("it runs").success());
    }

    fn url(&self) -> String {
        let host = self.dir().join("data").to_str().expect("UTF-8").replace('/', "%2F");
        format!("postgres://wecomd@localhost:5432/wecomd?host={host}")
    }

    /// Tables, rows, and an analyst's role, as an earlier version left them.
    async fn fill(&self) {
        let pool = self.serve();
        wecomd::tables::MIGRATOR.run(&pool).await.expect("migrates");
        execute(
            &pool,
            "insert into work_order (corpid, customer_id, description, state) values ('ww', 'C-1', 'x', 'new')",
        )
        .await;
        execute(&pool, "select reporting_grant('analyst', 'pw')").await;
        execute(&pool, "create type mood as enum ('ok'); create domain phone as text; create sequence counter").await;
        execute(&pool, "create database another").await;
        pool.close().await;
        self.stop();
    }
}

/// The user that PostgreSQL runs as if we are root.
fn account() -> Option<(u32, u32)> {
    let root = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").ok()?) == 0;
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|it| it.starts_with("postgres:")).filter(|_| root)?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// What still belongs to the cluster's own role, and is not PostgreSQL's.
const LEFT: &str = "select relname::text from pg_class where relowner = 10
        and relnamespace in (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema')
    union all select proname::text from pg_proc where proowner = 10
        and pronamespace in (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema')
    union all select typname::text from pg_type where typowner = 10
        and typnamespace in (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema')
    union all select nspname::text from pg_namespace where nspowner = 10 and nspname = 'reporting'
    union all select datname::text from pg_database where datdba = 10 and datname in ('wecomd', 'another')
    union all select 'default privileges' from pg_default_acl where defaclrole = 10";

async fn check_converted(server: &Embedded) {
    let pool = sqlx::PgPool::connect(&server.url("wecomd")).await.expect("connects");
    let roles = "select rolname || ' ' || rolsuper || ' ' || rolcanlogin from pg_roles
                 where rolname in ('wecomd', 'wecomd_superuser', 'wecomd_convert', 'analyst') order by 1";
    assert_eq!(texts(&pool, roles).await, ["analyst false true", "wecomd false true", "wecomd_superuser true false"]);
    assert_eq!(texts(&pool, LEFT).await, [""; 0]);
    assert_eq!(texts(&pool, "select customer_id from work_order").await, ["C-1"]);
    // Migrations of a later version, and what people do on the command line.
    execute(&pool, "alter table work_order add column later text; create table later (id int)").await;
    execute(&pool, "create view reporting.later as select 1 as one").await;
    execute(&pool, "select reporting_grant('analyst', 'pw'); select reporting_grant('other', 'pw')").await;
    pool.close().await;
    for role in ["analyst", "other"] {
        let url = server.url("wecomd").replace("//wecomd@", &format!("//{role}@"));
        let analyst = sqlx::PgPool::connect(&url).await.expect("connects");
        assert_eq!(texts(&analyst, "select one::text from reporting.later").await, ["1"], "{role}");
        assert_eq!(texts(&analyst, "select count(*)::text from reporting.work_order_funnel").await.len(), 1, "{role}");
        analyst.close().await;
    }
}

#[tokio::test]
async fn a_cluster_of_an_earlier_version_is_converted_with_everything_in_it() {
    let old = Old::new();
    old.fill().await;
    let server = Embedded::start(&old.dir(), Durability::Full).await.expect("converted and started");
    check_converted(&server).await;
    server.stop().await.expect("stopped");
    let again = Embedded::start(&old.dir(), Durability::Full).await.expect("started");
    let pool = sqlx::PgPool::connect(&again.url("wecomd")).await.expect("connects");
    assert_eq!(texts(&pool, "select customer_id from work_order").await, ["C-1"]);
    pool.close().await;
    again.stop().await.expect("stopped");
}

#[tokio::test]
async fn an_interrupted_conversion_resumes_and_stops_a_server_still_running() {
    let old = Old::new();
    old.fill().await;
    // The roles are there, and nothing belongs to the new one yet.
    let pool = old.serve();
    execute(&pool, "create role half superuser login").await;
    pool.close().await;
    let half = sqlx::PgPool::connect(&old.url().replace("//wecomd@", "//half@")).await.expect("connects");
    execute(&half, "alter role wecomd rename to wecomd_superuser; create role wecomd login").await;
    execute(&half, "alter table work_order owner to wecomd").await;
    half.close().await;
    let server = Embedded::start(&old.dir(), Durability::Full).await.expect("converted and started");
    check_converted(&server).await;
    server.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_converted_cluster_records_callbacks_and_can_be_backed_up() {
    let (old, company) = (Old::new(), Company::new());
    let pool = old.serve();
    wecomd::tables::MIGRATOR.run(&pool).await.expect("migrates");
    company.save(&pool).await;
    pool.close().await;
    old.stop();
    let data = old.folder.path().to_str().expect("UTF-8").to_owned();
    let settings = [("WECOMD_DATA_DIR", data.as_str())];
    let daemon = Daemon::start(&company.key, &settings, &[]).await;
    let ready = async || request(daemon.admin, "GET", "/readyz", &[], b"").await.expect("an answer");
    until("callbacks can be stored", async || ready().await.status == 200).await;
    assert_eq!(ready().await.json()["database"], json!("ok"));
    let met = contact(1_700_000_000, "add_external_contact", "ann", "wmX", &[]);
    let push = Push::genuine(AppKind::App, met);
    company.sender(daemon.public).deliver_all(vec![push], 1, |_| ()).await;
    let pool = sqlx::PgPool::connect(&old.url()).await.expect("connects");
    let contacts = "select external_userid from customer_wechat_contact";
    until("the callback is recorded", async || texts(&pool, contacts).await == ["wmX"]).await;
    pool.close().await;

    let run = async |arguments: &[&str]| {
        let mut command = program(Path::new(&data));
        command.args(arguments).env("WECOMD_MASTER_KEY", &company.key).envs(settings);
        let output = tokio::process::Command::from(command).output().await.expect("it runs");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    };
    run(&["reporting", "grant", "--role", "analyst"]).await;
    let file = run(&["backup"]).await.lines().next().expect("a line").to_owned();
    assert!(run(&["restore", &file, "--verify"]).await.contains("rows are as they were"));
    drop(daemon);
}

/// Every file and folder in a folder with its mode, PostgreSQL's own cluster left out.
fn modes(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("an entry").path();
        found.push((path.clone(), fs::metadata(&path).expect("there").permissions().mode() & 0o777));
        if path.is_dir() && !path.ends_with("postgres/data") {
            modes(&path, found);
        }
    }
}

#[tokio::test]
async fn files_created_by_wecomd_are_readable_only_by_its_user() {
    let (folder, company) = (open_folder("modes"), Company::new());
    let data = folder.path().join("data/of/wecomd");
    // As where an administrator's shell gives everybody the right to read.
    let shell = program(folder.path());
    let path = format!("umask 022; exec '{}' backup", env!("CARGO_BIN_EXE_wecomd"));
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &path]).current_dir(folder.path()).env_clear();
    command.envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null());
    command.env("WECOMD_MASTER_KEY", &company.key).env("WECOMD_DATA_DIR", &data);
    let made = tokio::process::Command::from(command).output().await.expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut found = Vec::new();
    modes(folder.path(), &mut found);
    let open: Vec<_> = found.iter().filter(|(_, mode)| mode & 0o066 != 0).collect();
    assert!(open.is_empty(), "{open:#?}");
    let backups = data.join("backups");
    assert!(found.contains(&(backups.clone(), 0o700)), "{found:#?}");
    assert!(found.iter().any(|(path, mode)| path.parent() == Some(&backups) && *mode == 0o600), "{found:#?}");
}
