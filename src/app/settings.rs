//! The settings of each part, from the configuration.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;

use crate::{
    admin::AdminSettings,
    archive::{self, Archive},
    backup::{self, Backups},
    config::{self, Config},
    handover::{self, by_approval::ResignationTemplate},
    ids::StaffId,
    media::MediaStore,
    orders::assignment::Rules,
    privacy::{self, Retention},
    server::{BodyRoom, Limits},
    sync,
    tables::orders::work_order::Patience,
    tasks,
    vault::Vault,
    wecom, worker,
};

/// How long after the call's own limit a call that moves customers counts as unanswered, so that its outcome is asked
/// about.
const OUTCOME_SPARE: Duration = Duration::from_secs(15);

/// How many corps' archives are read at once. Decrypting one takes all cores.
const ARCHIVES: u32 = 2;

/// How long the archive's library may wait for WeCom.
const ARCHIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long after that a reader that does not answer is killed.
const ARCHIVE_PATIENCE: Duration = Duration::from_secs(5);

/// After so many calls a reader of the archive is replaced.
const READER_CALLS_MAX: u32 = 1_000;

/// A reader of the archive that has more memory in use, in bytes, is replaced.
const READER_MEMORY_MAX: u64 = 512 << 20;

/// The readers of the message archive, if this process reads it.
pub(super) fn archive(config: &Config, vault: &Arc<Vault>) -> anyhow::Result<Option<Archive>> {
    let config::Archive { enabled, library, reader, proxy, poll_seconds, internal_chats, media } = &config.archive;
    if !enabled {
        return Ok(None);
    }
    let program = match reader.as_str() {
        "" => std::env::current_exe().context("archive.reader")?.with_file_name(config::READER),
        path => path.into(),
    };
    let settings = archive::Settings {
        program,
        library: library.into(),
        proxy: Some(proxy.clone()).filter(|it| !it.expose_secret().is_empty()),
        timeout: ARCHIVE_TIMEOUT,
        patience: ARCHIVE_PATIENCE,
        calls_max: READER_CALLS_MAX,
        memory_max: READER_MEMORY_MAX,
        internal_chats: *internal_chats,
        media: *media,
        poll: Duration::from_secs((*poll_seconds).into()),
    };
    Ok(Some(Archive::new(settings, vault.clone())))
}

pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        connections_max: config.http.connections_max,
        header_timeout: Duration::from_millis(config.http.header_timeout_ms),
        body_timeout: Duration::from_millis(config.http.body_timeout_ms),
        body_bytes_max: config.http.body_bytes_max,
        body_room: BodyRoom::default(),
    }
}

pub(super) fn admin_settings(config: &Config) -> AdminSettings {
    AdminSettings {
        key_overlap: TimeDelta::hours(config.callback.key_overlap_hours.into()),
        acceptance: config.handover.acceptance,
        handover_url: config.handover.page_url.clone(),
        public_url: config.wecom.public_url.trim_end_matches('/').to_owned(),
    }
}

pub(super) fn assignment_rules(config: &Config) -> Rules {
    let assignment = &config.assignment;
    let minutes = |minutes: u32| i32::try_from(minutes).unwrap_or(i32::MAX);
    let patience = Patience {
        pick_up_minutes: minutes(assignment.pick_up_minutes),
        escalate_minutes: minutes(assignment.escalate_minutes),
    };
    let escalate_to = Some(assignment.escalate_to.as_str()).filter(|it| !it.is_empty()).map(StaffId::from);
    Rules { automatic: assignment.automatic, patience, escalate_to }
}

pub(super) fn handover_settings(config: &Config) -> handover::Settings {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    handover::Settings {
        poll_first: seconds(config.handover.poll_first_seconds),
        poll_max: seconds(config.handover.poll_max_seconds),
        // A call may be made twice, if its token had expired, and may wait for its permit before.
        outcome_after: Duration::from_millis(config.wecom.timeout_ms) * 2 + OUTCOME_SPARE,
        resignation_templates: config
            .handover
            .templates()
            .map(|(template_id, last_day)| ResignationTemplate {
                template_id: template_id.to_owned(),
                last_day: last_day.map(str::to_owned),
            })
            .collect(),
    }
}

pub(super) fn sync_settings(config: &Config) -> sync::Settings {
    let schedule = sync::Schedule { every_hours: config.sync.every_hours, at_hour: config.sync.at_hour };
    sync::Settings { schedule }
}

/// The configured inputs of backups.
pub fn backups(config: &Config, database: &SecretString, vault: &Arc<Vault>, media: &MediaStore) -> Backups {
    let config::Backup { keep, media: with_media, .. } = config.backup;
    let settings = backup::Settings { location: config.backup_location(), keep, media: with_media, programs: None };
    Backups { database: database.clone(), vault: vault.clone(), media: media.clone(), settings }
}

/// The configured schedule of backups, if they are enabled.
pub(super) fn backup_schedule(config: &Config) -> anyhow::Result<Option<backup::Schedule>> {
    let schedule = config.backup.enabled.then(|| backup::Schedule::parse(&config.backup.schedule));
    schedule.transpose().map_err(anyhow::Error::msg).context("backup.schedule")
}

/// The configured retention.
pub fn retention(config: &Config, pool: PgPool, media: MediaStore) -> Retention {
    let config::Retention { plaintext_days, records_months, media_days, access_log_months } = config.retention;
    let settings = privacy::Settings { plaintext_days, records_months, media_days, access_log_months };
    Retention { pool, media, settings }
}

/// The configured client for WeCom.
pub fn wecom_settings(config: &Config) -> wecom::Settings {
    let proxy = Some(config.wecom.proxy.clone()).filter(|it| !it.expose_secret().is_empty());
    let timeout = Duration::from_millis(config.wecom.timeout_ms);
    let budget = wecom::Limits {
        corp_per_second: config.wecom.corp_per_second,
        path_per_second: config.wecom.path_per_second,
        concurrency: config.wecom.concurrency,
    };
    wecom::Settings { base_url: config.wecom.base_url.clone(), proxy, timeout, budget }
}

pub(super) fn worker_settings(config: &Config) -> worker::Settings {
    worker::Settings { batch_max: config.worker.batch_max, attempts_max: config.worker.attempts_max }
}

pub(super) fn tasks_settings(config: &Config) -> tasks::Settings {
    let config::Tasks { welcome, notify_staff, refresh, fetch_media, handover, kf, .. } = config.tasks;
    let archive = if config.archive.enabled { ARCHIVES } else { 0 };
    tasks::Settings { welcome, notify_staff, refresh, fetch_media, handover, kf, archive }
}

pub(super) fn kf_settings(config: &Config) -> anyhow::Result<tasks::kf::Settings> {
    if let Some(name) = tasks::template::unknown_name(&config.kf.greeting) {
        anyhow::bail!("kf.greeting: there is no name {{{name}}}; {{customer}} is known");
    }
    Ok(tasks::kf::Settings {
        poll: Duration::from_secs(config.kf.poll_seconds.into()),
        route: config.kf.route()?,
        greeting: config.kf.greeting.clone(),
    })
}
