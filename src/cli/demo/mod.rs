//! `wecomd demo`: one working day of a repair company, from a clean machine.
//!
//! Everything except WeCom is real: a private PostgreSQL with full durability, the daemon's own listeners, encryption
//! on the wire. The figures come from the database and from the pretend WeCom, not from the daemon itself.

mod flow;

mod service;

mod archive;

mod handover;

mod office;

mod summary;

use std::{net::Ipv4Addr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{TimeDelta, Utc};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection};

use self::office::Office;
use super::{say, serve::Stop};
use crate::{
    app::App,
    app_config::NewConfig,
    config::Config,
    embedded::{Durability, Embedded},
    inbox,
    sandbox::{AppKind, Corp, Day, Patience, Platform, Rates, Report, Sender, Size, World, stir, work_day},
    states::Role,
    tables::{access::api_token, apply, staff::staff_wechat_bind},
    telemetry,
    vault::{ApiToken, Vault},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Exit after the summary instead of running until Ctrl-C
    #[arg(long)]
    exit: bool,
    /// Print the summary as one line of JSON
    #[arg(long)]
    json: bool,
    /// How many callbacks the day has
    #[arg(long, default_value_t = 4_000)]
    count: usize,
    /// The same seed makes the same day
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The shares of the day's callbacks that are repeated, moved out of order, and forged.
const MISCHIEF: Rates = Rates { duplicate: 0.03, reorder: 0.05, forge: 0.01 };

/// The demo's log filter: the demo's own forgeries and its late greetings are not logged.
const LOG: &str = "warn,wecomd::server=error,wecomd::tasks=error";

/// When a working day is over, 18:30 in Shanghai: the demo plays the latest one that is over, so no callback is in
/// the future.
const DAY_ENDS: TimeDelta = TimeDelta::minutes(10 * 60 + 30);

/// The greeting.
const WELCOME: &str = "{customer}您好,我是{staff},您的维修工单由我负责。";

/// How many calls per second the pretend WeCom gets; the real one has lower limits.
const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(150).expect("it is written here");

/// How many pictures are downloaded at once.
const DOWNLOADS: u32 = 8;

/// How many callbacks are sent at once.
const CONCURRENCY: usize = 16;

/// How long recording may lag behind at the end.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// Time between two checks of what is left.
const DRAIN_LOOK: Duration = Duration::from_millis(50);

pub(super) async fn run(mut config: Config, arguments: Arguments) -> anyhow::Result<()> {
    telemetry::logs(LOG, false)?;
    let mut stop = Stop::new()?;
    let folder = Folder::new()?;
    config.database_url = SecretString::default();
    let corp = Corp::from_seed(arguments.seed).with_archive(arguments.seed);
    let day = work_day(&corp, arguments.seed, (Utc::now() - DAY_ENDS).date_naive(), arguments.count);
    let platform = pretend_wecom(&corp, &day, arguments.seed).await?;
    config.wecom.base_url = platform.base_url();
    config.media.location = folder.0.join("media").display().to_string();
    config.spool.location = folder.0.join("spool").display().to_string();
    config.assignment.automatic = true;
    config.assignment.order_url = format!("http://{}/api/enterprise-wechat/work-orders/{{id}}", config.admin_listen);
    // A day passes within a moment, so transfer results are polled as fast.
    (config.handover.poll_first_seconds, config.handover.poll_max_seconds) = (1, 1);
    config.sync.every_hours = 0;
    config.kf.greeting = service::GREETING.to_owned();
    let archive = archive::prepare(folder.0.join("archive")).await?;
    if let Ok(stage) = &archive {
        stage.configure(&mut config);
    }
    // A whole day's cards and pictures are requested within seconds, from a WeCom without other callers.
    (config.wecom.corp_per_second, config.wecom.path_per_second) = (CALLS_PER_SECOND, CALLS_PER_SECOND);
    config.tasks.fetch_media = DOWNLOADS;
    let vault = Arc::new(Vault::generate(&folder.0.join("master.key"))?);
    if !arguments.json {
        say("wecomd demo: a working day of a repair company");
        say("  starting a private PostgreSQL …");
    }
    let server = Embedded::start(&folder.0.join("postgres"), Durability::Full).await?;
    let played = tokio::select! {
        played = play(&config, &arguments, &server, vault, Cast { corp, day, platform: &platform, archive }) => played,
        () = stop.wait() => Ok(None),
    };
    if let Ok(Some(app)) = played {
        if !arguments.exit {
            say("\nIt stays up until Ctrl-C.");
            stop.wait().await;
        }
        app.stop().await;
        server.stop().await?;
        return Ok(());
    }
    server.stop().await?;
    played.map(|_| ())
}

/// The participants.
struct Cast<'a> {
    corp: Corp,
    day: Day,
    platform: &'a Platform,
    /// The message archive, or why there is none.
    archive: Result<archive::Stage, String>,
}

/// The pretend WeCom that wecomd calls: it knows everybody in the day.
async fn pretend_wecom(corp: &Corp, day: &Day, seed: u64) -> anyhow::Result<Platform> {
    let mut world = World::of(corp, Size { members: 0, customers: 0, departments: 1 }, seed);
    world.include(day);
    Platform::start(world, (Ipv4Addr::LOCALHOST, 0).into()).await.context("the pretend WeCom found no free port")
}

/// Plays the day and prints the results.
async fn play(
    config: &Config,
    arguments: &Arguments,
    server: &Embedded,
    vault: Arc<Vault>,
    cast: Cast<'_>,
) -> anyhow::Result<Option<App>> {
    let Cast { corp, day, platform, archive } = cast;
    let url = SecretString::from(server.url("wecomd"));
    let app = App::start(config, &url, vault.clone()).await?;
    let token = prepare(&app, &corp, &day).await?;
    if let Ok(stage) = &archive {
        stage.set_up(&mut *app.admin_half.pool.acquire().await?, &vault, &corp, config).await?;
    }

    let public = app.public.context("the demo needs the public listener; remove callback.enabled = false")?;
    let sender = Sender::new(&format!("http://127.0.0.1:{}", public.port()), &corp, Patience::default())?;
    for kind in [AppKind::App, AppKind::Directory] {
        sender.verify_url(kind).await?;
    }
    let pushes = stir(day.pushes.clone(), arguments.seed, &MISCHIEF);
    let bar = if arguments.json { ProgressBar::hidden() } else { progress_bar(pushes.len()) };
    let progress = |report: &Report| bar.set_position(report.genuine.sent + report.forged.sent);
    let report = sender.deliver_all(pushes.clone(), CONCURRENCY, progress).await;
    bar.finish_and_clear();

    let admin = &app.admin_half;
    let mut conn = admin.pool.acquire().await?;
    drained(&mut conn).await?;
    let acked = report.acked.iter().filter_map(|it| pushes.get(it.index)).map(|it| (it.app, it.plaintext.as_bytes()));
    let summary = summary::Summary::read(&mut conn, &corp, &report, acked.collect()).await?;
    platform.with(|world| world.end(&day));
    platform.push_to(sender.clone());
    let office = Office { app: &app, token: &token };
    let scene = flow::Scene { office: &office, platform, sender: &sender };
    let story = scene.play().await?;
    let talk = service::play(&office, platform, &story).await?;
    let archived = archive::play(&archive, &scene, &story).await?;
    let leaving = handover::play(&office, platform).await?;
    if arguments.json {
        let mut line = serde_json::to_value(&summary.figures)?;
        line["order"] = serde_json::to_value(&story)?;
        line["talk"] = serde_json::to_value(&talk)?;
        line["archive"] = serde_json::to_value(&archived)?;
        line["handover"] = serde_json::to_value(&leaving)?;
        say(&line.to_string());
    } else {
        summary.print();
        summary::print_rows(&mut conn, flow::CUSTOMER).await?;
        story.print();
        talk.print();
        archived.print();
        leaving.print();
        links(&app, server, token.expose_secret(), flow::CUSTOMER);
    }
    drop(conn);
    Ok(Some(app))
}

/// What an administrator does before the first day: the apps, the staff, a token.
async fn prepare(app: &App, corp: &Corp, day: &Day) -> anyhow::Result<SecretString> {
    let admin = &app.admin_half;
    let mut conn = admin.pool.acquire().await?;
    for app in &corp.apps {
        let new = NewConfig {
            name: app.name.clone(),
            corpid: Some(corp.corpid.0.clone()),
            agentid: Some(app.agentid.clone()),
            secret: Some(app.secret.clone().into()),
            welcome_message: Some(Some(WELCOME.to_owned())),
            token: Some(app.token.clone().into()),
            encoding_aes_key: Some(app.encoding_aes_key.clone().into()),
            ..NewConfig::default()
        };
        crate::app_config::save(&mut conn, &admin.vault, admin.settings.key_overlap, new).await?;
    }
    admin.apps.refresh().await?;
    for (number, staff) in (1..).zip(&day.staff) {
        let staff_id = format!("E-{number:03}");
        let mut transaction = conn.begin().await?;
        let user = apply::know(&mut transaction, &corp.corpid, &staff.id, false).await?;
        let new = staff_wechat_bind::NewBinding {
            corpid: &corp.corpid,
            staff_id: &staff_id,
            user: &user,
            name: Some(&staff.name),
            avatar: None,
        };
        staff_wechat_bind::bind_since(&mut transaction, &new, summary::morning()).await?;
        transaction.commit().await?;
    }
    let token = ApiToken::new();
    api_token::create(&mut conn, "demo", Role::Admin, &token.hash, &token.prefix).await?;
    Ok(token.secret)
}

/// Waits until nothing is left to record.
async fn drained(conn: &mut PgConnection) -> anyhow::Result<()> {
    let all = async {
        while inbox::depth(conn).await?.0 > 0 {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
        Ok::<_, sqlx::Error>(())
    };
    tokio::time::timeout(DRAIN_LIMIT, all).await.context("recording did not finish in time")??;
    Ok(())
}

fn links(app: &App, server: &Embedded, token: &str, customer: &str) {
    let base = format!("http://{}/api/enterprise-wechat", app.admin);
    say("\nLook around:");
    say(&format!("  curl -H 'Authorization: Bearer {token}' {base}/customer-contact/{customer}"));
    say(&format!("  curl -H 'Authorization: Bearer {token}' {base}/contact-records/{customer}"));
    say(&format!("  curl -H 'Authorization: Bearer {token}' '{base}/deliveries?state=ignored'"));
    say(&format!("  curl http://{}/readyz        curl http://{}/metrics", app.admin, app.admin));
    say(&format!("  psql '{}'", server.url("wecomd")));
}

/// A progress bar on stderr, only at a terminal.
pub(super) fn progress_bar(length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("  {bar:40} {pos}/{len} callbacks, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style)
}

/// A folder that is deleted when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("wecomd-demo-{}", std::process::id()));
        crate::embedded::make_folder(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
