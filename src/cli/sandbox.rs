//! `wecomd sandbox`: the pretend WeCom alone, against any receiver; with `--api` it answers calls as well.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use chrono::NaiveDate;
use clap::Args;

use super::{demo::progress_bar, say, serve::Stop};
use crate::{
    ids::CorpId,
    sandbox::{App, AppKind, Corp, Patience, Platform, Push, Rates, Sender, Size, World, file, stir, work_day},
};

/// How many departments below the company the pretend API has; the made-up day uses the first three.
const DEPARTMENTS: usize = 12;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The receiver, without the path
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The app's name: callbacks go to /callback/NAME
    #[arg(long)]
    app: String,
    /// The corp's id
    #[arg(long)]
    corpid: String,
    /// The app's Token
    #[arg(long, env = "SANDBOX_TOKEN", hide_env_values = true)]
    token: String,
    /// The app's EncodingAESKey
    #[arg(long, env = "SANDBOX_ENCODING_AES_KEY", hide_env_values = true)]
    encoding_aes_key: String,
    /// The app's number
    #[arg(long, default_value = "")]
    agentid: String,
    /// The receiveid, if it is not the corpid
    #[arg(long)]
    receive_id: Option<String>,
    /// Plaintexts to send: a folder of documents, or a file with one a line; without it, a working day is made up
    #[arg(long)]
    file: Option<PathBuf>,
    /// How many callbacks the made-up day has
    #[arg(long, default_value_t = 2_000)]
    count: usize,
    /// Which day [default: today]
    #[arg(long)]
    date: Option<NaiveDate>,
    /// The same seed makes the same day and the same disturbances
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The share that is sent twice, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    duplicate: f64,
    /// The share that is moved out of order, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    reorder: f64,
    /// The share of forgeries that are added, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    forge: f64,
    /// How many are sent at once
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// Only verify the URL, as WeCom's console does when saving it
    #[arg(long)]
    verify: bool,
    /// Also answer API calls at this address until Ctrl-C, out of a made-up company
    #[arg(long, value_name = "ADDRESS")]
    api: Option<SocketAddr>,
    /// How many customers that company has
    #[arg(long, default_value_t = 1_000, requires = "api")]
    customers: usize,
    /// How many members that company has
    #[arg(long, default_value_t = 50, requires = "api")]
    members: usize,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let corp = arguments.corp();
    let sender = Sender::new(&arguments.url, &corp, Patience::default())?;
    let Some(address) = arguments.api else { return callbacks(&arguments, &corp, &sender, None).await };
    let mut stop = Stop::new()?;
    let platform = arguments.answer(&corp, address).await?;
    platform.push_to(sender.clone());
    let delivered = tokio::select! {
        delivered = callbacks(&arguments, &corp, &sender, Some(&platform)) => delivered,
        () = stop.wait() => {
            platform.stop().await;
            return Ok(());
        }
    };
    if let Err(error) = delivered {
        // The receiver that is to be configured with the printed values may not run yet.
        say(&format!("callbacks: {error:#}"));
    }
    say("The API stays up until Ctrl-C.");
    stop.wait().await;
    platform.stop().await;
    Ok(())
}

/// Verifies the URL, delivers the callbacks, and prints the results.
async fn callbacks(
    arguments: &Arguments,
    corp: &Corp,
    sender: &Sender,
    platform: Option<&Platform>,
) -> anyhow::Result<()> {
    let took = sender.verify_url(AppKind::App).await?;
    say(&format!("the URL is verified: the echo came back in {:.1} ms", took.as_secs_f64() * 1e3));
    if arguments.verify {
        return Ok(());
    }
    let pushes = arguments.pushes(corp, platform)?;
    let rates = Rates { duplicate: arguments.duplicate, reorder: arguments.reorder, forge: arguments.forge };
    let pushes = stir(pushes, arguments.seed, &rates);
    let bar = progress_bar(pushes.len());
    let report = sender
        .deliver_all(pushes, arguments.concurrency, |report| bar.set_position(report.genuine.sent + report.forged.sent))
        .await;
    bar.finish_and_clear();
    let (genuine, forged) = (report.genuine, report.forged);
    say(&format!(
        "genuine  {} sent, {} answered, {} refused, {} failed",
        genuine.sent, genuine.answered, genuine.refused, genuine.failed
    ));
    say(&format!("forged   {} sent, {} refused, {} answered", forged.sent, forged.refused, forged.answered));
    for (name, percent) in [("p50", 50.0), ("p99", 99.0)] {
        let latency = report.latency_within(percent).unwrap_or_default();
        say(&format!("{name}      {:.1} ms", latency.as_secs_f64() * 1e3));
    }
    if let Some(why) = report.unanswered.filter(|_| genuine.failed > 0) {
        anyhow::bail!("{} callbacks got no answer in spite of every retry; of the last one: {why}", genuine.failed);
    }
    Ok(())
}

impl Arguments {
    /// The callbacks to deliver. Everybody in a made-up day becomes known to the API.
    fn pushes(&self, corp: &Corp, platform: Option<&Platform>) -> anyhow::Result<Vec<Push>> {
        if let Some(path) = &self.file {
            return Ok(file::read(path)?);
        }
        let date = self.date.unwrap_or_else(|| chrono::Utc::now().date_naive());
        let day = work_day(corp, self.seed, date, self.count);
        if let Some(platform) = platform {
            platform.with(|world| world.include(&day));
        }
        Ok(day.pushes)
    }

    /// Starts answering API calls, and prints how to configure a service for them.
    async fn answer(&self, corp: &Corp, address: SocketAddr) -> anyhow::Result<Platform> {
        let size = Size { members: self.members, customers: self.customers, departments: DEPARTMENTS };
        let world = World::of(corp, size, self.seed);
        let app = world.app(AppKind::App).cloned().context("the company has no app")?;
        let platform = Platform::start(world, address).await.with_context(|| format!("cannot listen on {address}"))?;
        say(&format!("base URL  {}", platform.base_url()));
        say(&format!("corpid    {}", corp.corpid));
        say(&format!("agentid   {}", app.agentid.unwrap_or_default()));
        say(&format!("secret    {}", app.secret()));
        Ok(platform)
    }

    fn corp(&self) -> Corp {
        let app = App {
            kind: AppKind::App,
            name: self.app.clone(),
            token: self.token.clone(),
            encoding_aes_key: self.encoding_aes_key.clone(),
            agentid: self.agentid.clone(),
            receive_id: self.receive_id.clone().unwrap_or_else(|| self.corpid.clone()),
            secret: App::secret_from_seed(self.seed, &self.app),
        };
        Corp { corpid: CorpId(self.corpid.clone()), apps: vec![app] }
    }
}
