//! wecomd beside a pretend WeCom that answers its calls.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use sqlx::PgPool;
use wecomd::{
    ids::UserId,
    sandbox::{AppKind, Corp, Platform, Size, World},
    vault::Vault,
    wecom::{Limits, Settings, Wecom},
};

use super::{TestApp, TestDb};

/// A company small enough to be made at once.
const SIZE: Size = Size { members: 12, customers: 30, departments: 4 };

/// A pretend WeCom of the company whose callbacks the tests push.
pub(crate) async fn platform() -> Platform {
    let world = World::of(&Corp::from_seed(1), SIZE, 1);
    Platform::start(world, ([127, 0, 0, 1], 0).into()).await.expect("it starts")
}

/// wecomd with the secret of the company's app, and the pretend WeCom that knows it.
pub(crate) async fn app_with_wecom() -> (TestApp, Platform) {
    let platform = platform().await;
    let base_url = platform.base_url();
    let app = TestApp::start_with(|config| {
        config.wecom.base_url = base_url;
        config.wecom.public_url = "https://wecom.example.com/".to_owned();
    })
    .await;
    let service = app.corp.app(AppKind::App).expect("an app");
    let body = json!({ "name": service.name, "secret": service.secret });
    let saved = app.ask("POST", "/api/enterprise-wechat/config", Some(body)).await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    (app, platform)
}

/// Another process's way to WeCom: with a memory and connections of its own.
pub(crate) async fn another_wecom(db: &TestDb, vault: &Arc<Vault>, platform: &Platform) -> (Wecom, PgPool) {
    let pool = PgPool::connect_with(db.options()).await.expect("connects");
    let settings = Settings {
        base_url: platform.base_url(),
        proxy: None,
        timeout: Duration::from_secs(10),
        budget: Limits::default(),
    };
    (Wecom::new(&settings, pool.clone(), vault.clone()).expect("a client"), pool)
}

/// How often an endpoint was called.
pub(crate) fn calls(platform: &Platform, path: &str) -> usize {
    platform.calls().iter().filter(|it| it.path == path).count()
}

/// A member of the company.
pub(crate) fn somebody(platform: &Platform) -> UserId {
    platform.with(|world| world.members().next().expect("a member").userid.clone())
}
