//! wecomd with a pretend WeCom that answers its calls. Tasks are carried out when a test wants it, never by themselves.

use std::time::Duration;

use chrono::Utc;
use wecomd::{
    changes::{Task, TaskKind},
    config::Config,
    ids::{ExternalUserId, UserId},
    sandbox::{AppKind, Corp, Platform, Size, Visible, World},
    states::KfRoute,
    tables::task,
    tasks::{Context, Executor, Step, WorkerPool, kf::Settings},
};

use super::{TestApp, folder::Folder};

/// wecomd, and the WeCom that it calls.
pub(crate) struct Acting {
    pub(crate) app: TestApp,
    pub(crate) platform: Platform,
    pub(crate) media: Folder,
}

impl Acting {
    /// Starts both, around a company in which nobody works yet.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let size = Size { members: 0, customers: 0, departments: 1 };
        let world = World::of(&Corp::from_seed(1).with_archive(1), size, 1);
        let platform = Platform::start(world, ([127, 0, 0, 1], 0).into()).await.expect("it starts");
        let media = Folder::new("media");
        let app = TestApp::start_with(|config| {
            config.wecom.base_url = platform.base_url();
            config.media.location = media.path().to_str().expect("UTF-8").to_owned();
            change(config);
        })
        .await;
        app.entrust().await;
        platform.push_to(app.sender_of(&app.corp));
        Self { app, platform, media }
    }

    /// A member of the company, and the customers they know.
    pub(crate) fn member(&self, user: &str, name: &str, customers: &[&str]) {
        self.platform.with(|world| {
            world.add_member(&UserId::from(user), name);
            for customer in customers {
                assert!(world.add_contact(&UserId::from(user), &ExternalUserId::from(*customer), "小雨"));
            }
        });
    }

    /// From now on the app sees only these members.
    pub(crate) fn sees_only(&self, users: &[&str]) {
        let members = users.iter().map(|user| UserId::from(*user)).collect();
        self.platform.with(|world| {
            let app = world.app_mut(AppKind::App).expect("an app");
            app.visible = Visible::Only { members, departments: Vec::new() };
        });
    }

    /// Enqueues a task for the app, as recording would.
    pub(crate) async fn enqueue(&self, kind: TaskKind, subject: &str, payload: Option<String>) {
        let app = self.app.corp.app(AppKind::App).expect("an app");
        let id = format!("select id::bigint from enterprise_wechat_config where name = '{}'", app.name);
        let app_id = i32::try_from(self.app.db.count(&id).await).expect("small");
        let task = Task { app_id, payload, due_at: Utc::now(), deadline: None, marks: 1 };
        let mut conn = self.app.db.pool.acquire().await.expect("connects");
        task::enqueue(&mut conn, &self.app.corp.corpid, kind, subject, task).await.expect("enqueued");
    }

    /// Records everything that WeCom pushed, and tries each task of a kind once.
    pub(crate) async fn settle(&self, kind: TaskKind) {
        self.platform.pushed().await;
        self.app.drain().await;
        self.act(kind).await;
    }

    /// Tries each task of a kind once, whenever it is due.
    pub(crate) async fn act(&self, kind: TaskKind) {
        self.act_with(kind, |_| ()).await;
    }

    /// The same with other settings of handovers.
    pub(crate) async fn act_with(&self, kind: TaskKind, change: impl FnOnce(&mut wecomd::handover::Settings)) {
        self.app.db.execute("update task set due_at = now() where parked_at is null").await;
        let mut context = context(&self.app);
        change(&mut context.handover);
        let mut executor = Executor::new(context, WorkerPool::of(kind, 1));
        while executor.step().await.expect("the database answers") != Step::Idle {}
    }

    /// What is still to do of a kind: subject, and why it is parked if it is.
    pub(crate) async fn left(&self, kind: TaskKind) -> Vec<String> {
        let parked = "case when parked_at is null then 'due' else 'parked' end";
        let query = format!(
            "select subject || ' ' || {parked} || coalesce(': ' || reason, '') from task where kind = '{}' order by 1",
            kind.as_str()
        );
        self.app.db.texts(&query).await
    }

    pub(crate) async fn finish(self) {
        self.app.finish().await;
        self.platform.stop().await;
    }
}

/// The settings of 微信客服 that tests use.
pub(crate) fn kf_settings() -> Settings {
    Settings {
        poll: Duration::from_secs(300),
        route: KfRoute::Owner,
        greeting: "您好{customer|}，请问有什么可以帮您？".to_owned(),
    }
}

/// What tasks work with, in this wecomd.
pub(crate) fn context(app: &TestApp) -> Context {
    let admin = &app.app.admin_half;
    Context {
        pool: app.db.pool.clone(),
        wecom: admin.wecom.clone(),
        media: admin.media.clone(),
        handover: super::HANDOVER,
        kf: kf_settings(),
        archive: None,
    }
}
