//! Access tokens: one for all processes, renewed once however many are refused, and never fetched without need.

use std::sync::Arc;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wecomd::{
    ids::CorpId,
    sandbox::{AppKind, Fault, TokenMode},
    tables::{
        access::api_token,
        apps::wecom_token::{self, Key},
    },
    vault::ApiToken,
    wecom::Class,
};

use crate::support::{
    Company, Daemon, TestDb,
    http::request,
    wait::until,
    wecom::{another_wecom, app_with_wecom, calls, platform, somebody},
};

/// Processes that share a database.
const PROCESSES: usize = 4;

/// How often every token is revoked while all processes are calling.
const ROUNDS: usize = 5;

/// The seed from which the moments of revocation follow.
const SEED: u64 = 20_260_728;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_share_a_token_and_no_call_fails_when_it_is_revoked() {
    let (db, company, platform) = (TestDb::new().await, Company::new(), platform().await);
    company.save(&db.pool).await;
    let app = company.corp.app(AppKind::App).expect("an app");
    let token = ApiToken::new();
    let mut conn = db.pool.acquire().await.expect("connects");
    api_token::create(&mut conn, "test", wecomd::states::Role::Admin, &token.hash, &token.prefix)
        .await
        .expect("a token");
    let new = wecomd::app_config::NewConfig {
        name: app.name.clone(),
        secret: Some(app.secret.clone().into()),
        ..Default::default()
    };
    let saved = wecomd::app_config::save(&mut conn, &company.vault, chrono::TimeDelta::hours(1), new).await;
    saved.expect("the secret is saved");
    drop(conn);

    let (url, base_url) = (db.url.expose_secret().to_owned(), platform.base_url());
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("WECOMD_WECOM__BASE_URL", base_url.as_str()),
        ("WECOMD_WECOM__PATH_PER_SECOND", "1000"),
        ("WECOMD_WECOM__CORP_PER_SECOND", "1000"),
    ];
    let mut daemons = Vec::new();
    for _ in 0..PROCESSES {
        daemons.push(Daemon::start(&company.key, &settings, &["--no-worker", "--no-callback"]).await);
    }
    let bearer = format!("Bearer {}", token.secret.expose_secret());
    let body = json!({ "name": app.name }).to_string();
    let mut chance = StdRng::seed_from_u64(SEED);
    let ask_all = || {
        let asked = daemons.iter().map(|daemon| {
            let (admin, bearer, body) = (daemon.admin, bearer.clone(), body.clone());
            tokio::spawn(async move {
                let headers = [("authorization", bearer.as_str())];
                let target = "/api/enterprise-wechat/test-connection";
                request(admin, "POST", target, &headers, body.as_bytes()).await.expect("an answer").json()
            })
        });
        asked.collect::<Vec<_>>()
    };
    for round in 0..ROUNDS {
        // Everybody learns of the last revocation, so that no call of this round meets two.
        for answer in ask_all() {
            assert_eq!(check(&answer.await.expect("it ends"), "visible_scope")["ok"], true, "round {round}");
        }
        let before = platform.calls().len();
        let asked = ask_all();
        // Revoked once during the calls: a failed call is repeated once, and that must suffice.
        let moment = chance.random_range(1..12);
        until("some calls were made", async || platform.calls().len() >= before + moment).await;
        platform.with(|world| world.revoke_tokens(&company.corp.corpid));
        for answer in asked {
            let answer = answer.await.expect("it ends");
            for name in ["token", "trusted_ip", "customer_contact", "visible_scope"] {
                assert_eq!(check(&answer, name)["ok"], true, "round {round}: {answer:#}");
            }
        }
    }
    let made = calls(&platform, "gettoken");
    assert!((1..=ROUNDS + 1).contains(&made), "{made} tokens were made after {ROUNDS} revocations");
    drop(daemons);
    platform.stop().await;
    db.close().await;
}

#[tokio::test]
async fn a_late_writer_never_restores_an_older_token() {
    let db = TestDb::new().await;
    let corpid = CorpId::from("ww1");
    let key = Key { corpid: &corpid, secret_hash: b"hash" };
    let mut conn = db.pool.acquire().await.expect("connects");
    let read = wecom_token::lock(&mut conn, key).await.expect("a row").generation;
    let first = wecom_token::renew(&mut conn, key, read, b"first", false, 7200.0).await.expect("runs").expect("newer");
    let second = wecom_token::renew(&mut conn, key, first.generation, b"second", false, 7200.0).await.expect("runs");
    assert_eq!(second.expect("newer").generation, first.generation + 1);

    assert!(wecom_token::renew(&mut conn, key, read, b"late", false, 7200.0).await.expect("runs").is_none());
    wecom_token::reject(&mut conn, key, first.generation).await.expect("runs");
    let row = wecom_token::find(&mut conn, key).await.expect("runs").expect("a row");
    assert_eq!((row.token.as_deref(), row.rejected), (Some(&b"second"[..]), false));

    let again = wecom_token::renew(&mut conn, key, row.generation, b"second", true, 90_000.0).await.expect("runs");
    let again = again.expect("it is the current one");
    assert_eq!(again.generation, row.generation, "the same token keeps its number");
    assert!(again.left_s <= 7200.0, "and the earlier of the two ends: {}", again.left_s);
    drop(conn);
    db.close().await;
}

#[tokio::test]
async fn a_wrong_secret_is_tried_once_by_all_processes_and_a_new_one_at_once() {
    let (app, platform) = app_with_wecom().await;
    let service = app.corp.app(AppKind::App).expect("an app");
    let save = async |secret: &str| {
        let body = json!({ "name": service.name, "secret": secret });
        assert_eq!(app.ask("POST", "/api/enterprise-wechat/config", Some(body)).await.status, 200);
    };
    save("a-secret-of-nobody").await;
    let user = somebody(&platform);
    let vault = &app.app.admin_half.vault;
    let (other, pool) = another_wecom(&app.db, vault, &platform).await;
    for wecom in [&app.app.admin_half.wecom, &other, &app.app.admin_half.wecom, &other] {
        let error = wecom.corp(&app.corp.corpid).await.expect("an app").member(&user).await.expect_err("no token");
        assert_eq!((error.class, error.errcode), (Class::Refused, Some(40001)), "{error}");
        assert!(error.meaning().expect("words").zh.contains("Secret"), "{error}");
    }
    assert_eq!(calls(&platform, "gettoken"), 1);
    let error = other.corp(&app.corp.corpid).await.expect("an app").member(&user).await.expect_err("no token");
    assert!(error.to_string().contains("not asked again for"), "{error}");

    app.db.execute("update wecom_token set blocked_until = now()").await;
    other.corp(&app.corp.corpid).await.expect("an app").member(&user).await.expect_err("no token");
    assert_eq!(calls(&platform, "gettoken"), 2);
    let doubled = "select count(*) from wecom_token where blocked_until between now() + interval '100 s' and now() + interval '120 s'";
    assert_eq!(app.db.count(doubled).await, 1);

    save(&service.secret).await;
    other.corp(&app.corp.corpid).await.expect("an app").member(&user).await.expect("the new secret is right");
    pool.close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_restart_reuses_the_stored_token_and_the_next_is_fetched_in_the_background() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let corp = &app.corp.corpid;
    app.app.admin_half.wecom.corp(corp).await.expect("an app").member(&user).await.expect("a member");
    let vault = &app.app.admin_half.vault;
    let (restarted, first) = another_wecom(&app.db, vault, &platform).await;
    restarted.corp(corp).await.expect("an app").member(&user).await.expect("a member");
    assert_eq!(calls(&platform, "gettoken"), 1, "it was in its row");

    app.db
        .execute("update wecom_token set expires_at = now() + interval '400 s', refreshed_at = now() - interval '1 h'")
        .await;
    platform.with(|world| world.token_mode = TokenMode::Another);
    platform.faults().set("gettoken", Fault { latency: std::time::Duration::from_secs(1), ..Fault::default() });
    let (restarted, second) = another_wecom(&app.db, vault, &platform).await;
    restarted.corp(corp).await.expect("an app").member(&user).await.expect("a member");
    assert_eq!(app.db.count("select generation from wecom_token").await, 1, "the old one served");
    until("the next one is there", async || app.db.count("select generation from wecom_token").await == 2).await;
    assert_eq!(calls(&platform, "gettoken"), 2);
    first.close().await;
    second.close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_cached_token_serves_during_a_database_outage_and_calls_without_one_are_retryable() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let (wecom, pool) = another_wecom(&app.db, &Arc::clone(&app.app.admin_half.vault), &platform).await;
    let api = wecom.corp(&app.corp.corpid).await.expect("an app");
    api.member(&user).await.expect("a member");
    pool.close().await;
    api.member(&user).await.expect("the token is in memory");

    platform.with(|world| world.revoke_tokens(&app.corp.corpid));
    let error = api.member(&user).await.expect_err("there is no token any more");
    assert_eq!((error.class, error.path), (Class::Transient, "wecom_token"), "{error}");
    app.finish().await;
}

fn check<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let checks = answer["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    checks.iter().find(|it| it["check"] == name).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn an_empty_token_is_refused_and_not_requested_again_at_once() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    for body in [
        r#"{"errcode":0,"errmsg":"ok","access_token":"","expires_in":7200}"#,
        r#"{"errcode":0,"errmsg":"ok","access_token":null,"expires_in":7200}"#,
        r#"{"errcode":0,"errmsg":"ok"}"#,
    ] {
        platform.faults().set("gettoken", Fault { bodies: vec![body.as_bytes().to_vec()], ..Fault::default() });
        app.db.execute("delete from wecom_token").await;
        let (wecom, pool) = another_wecom(&app.db, &app.app.admin_half.vault, &platform).await;
        let api = wecom.corp(&app.corp.corpid).await.expect("an app");
        let before = (calls(&platform, "gettoken"), calls(&platform, "user/get"));
        for _ in 0..3 {
            let error = api.member(&user).await.expect_err(body);
            assert_eq!((error.class, error.path), (Class::Transient, "gettoken"), "{body}: {error}");
            assert!(error.message.starts_with("the answer holds no access_token"), "{body}: {error}");
        }
        let after = (calls(&platform, "gettoken"), calls(&platform, "user/get"));
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 0), "{body}");
        pool.close().await;
    }
    // Its life in quotes is a number.
    let made = r#""expires_in":"7200""#.as_bytes().to_vec();
    let quoted = Fault { garble: vec![(r#""expires_in":7200"#.to_owned(), made)], ..Fault::default() };
    platform.faults().set("gettoken", quoted);
    app.db.execute("delete from wecom_token").await;
    let (wecom, pool) = another_wecom(&app.db, &app.app.admin_half.vault, &platform).await;
    wecom.corp(&app.corp.corpid).await.expect("an app").member(&user).await.expect("a token");
    let life = "select count(*) from wecom_token where expires_at > now() + interval '1 hour'";
    assert_eq!(app.db.count(life).await, 1);
    pool.close().await;
    app.finish().await;
    platform.stop().await;
}
