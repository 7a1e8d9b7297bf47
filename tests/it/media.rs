//! Pictures, sounds, films and files: fetched while WeCom has them, served to callers who may see them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use wecomd::{
    changes::{Task, TaskKind},
    media::Name,
    sandbox::{DropAt, Fault, Platform, Push, Size, World},
    tables::task,
    wecom::media::PART_BYTES,
};

use crate::support::{
    Acting, Company, Daemon, TestDb,
    folder::Folder,
    http::{Answer, request},
    plaintext::element,
    wait::until,
};

const CUSTOMER: &str = "wmEXAMPLE00000000000000000000001";

const DAY_S: i64 = 24 * 3_600;

/// How many parts the long film has; the last is short.
const PARTS: usize = 3;

impl Acting {
    /// A file at WeCom.
    fn file(&self, bytes: &[u8], content_type: &str, filename: &str) -> String {
        self.platform.with(|world| world.add_media(bytes.to_vec(), content_type, filename))
    }

    /// A customer's message with that file is delivered and recorded.
    async fn sent(&self, kind: &str, media_id: &str, at: i64) {
        let (from, kind, media) =
            (element("FromUserName", CUSTOMER), element("MsgType", kind), element("MediaId", media_id));
        let plaintext = format!(
            "<xml>{from}<CreateTime>{at}</CreateTime>{kind}{media}<MsgId>1</MsgId><AgentID>1000002</AgentID></xml>"
        );
        self.app.deliver(vec![Push::of_plaintext(plaintext)]).await;
        self.app.drain().await;
    }

    async fn show(&self, media_id: &str) -> Answer {
        self.app.ask("GET", &format!("/api/enterprise-wechat/media/{media_id}"), None).await
    }

    async fn show_part(&self, media_id: &str, range: &str) -> Answer {
        let bearer = format!("Bearer {}", self.app.token.expose_secret());
        let target = format!("/api/enterprise-wechat/media/{media_id}");
        let headers = [("authorization", bearer.as_str()), ("range", range)];
        request(self.app.app.admin, "GET", &target, &headers, b"").await.expect("an answer")
    }

    /// What the list of records says of the customer's latest file.
    async fn listed(&self) -> String {
        let records = self.app.ask("GET", &format!("/api/enterprise-wechat/contact-records/{CUSTOMER}"), None).await;
        records.json()["items"][0]["media"].to_string()
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

fn now() -> i64 {
    Utc::now().timestamp()
}

/// Bytes of which no two parts are alike.
fn film(length: usize) -> Vec<u8> {
    (0..length).map(|it| u8::try_from((it / 8_192 + it) % 251).expect("small")).collect()
}

#[tokio::test]
async fn a_picture_is_fetched_and_shown_and_the_access_log_says_to_whom() {
    let acting = Acting::start().await;
    let bytes = b"\xff\xd8\xff a picture".as_slice();
    let media_id = acting.file(bytes, "image/jpeg", "小雨 的照片.jpg");
    assert_eq!(code(&acting.show(&media_id).await), (404, "media_unknown".to_owned()));
    acting.sent("image", &media_id, now()).await;
    assert_eq!(code(&acting.show(&media_id).await), (404, "media_waiting".to_owned()));
    let url = format!("/api/enterprise-wechat/media/{media_id}");
    assert_eq!(acting.listed().await, format!(r#"{{"state":"waiting","url":"{url}"}}"#));
    acting.act(TaskKind::FetchMedia).await;

    let answer = acting.show(&media_id).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, bytes));
    assert_eq!(header(&answer, "content-type"), Some("image/jpeg"));
    assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
    assert_eq!(header(&answer, "accept-ranges"), Some("bytes"));
    let disposition = header(&answer, "content-disposition").expect("a name");
    assert!(
        disposition.starts_with("inline; filename=\"___") && disposition.contains("UTF-8''%E5%B0%8F"),
        "{disposition}"
    );
    assert_eq!(acting.listed().await, format!(r#"{{"state":"fetched","url":"{url}"}}"#));
    assert_eq!(acting.left(TaskKind::FetchMedia).await, [""; 0]);

    let log =
        "select subject || ' ' || status from access_log where route like '%/media/{id}' order by id desc limit 1";
    assert_eq!(acting.app.db.texts(log).await, [format!("{media_id} 200")]);
    let kept =
        format!("select concat_ws(' ', state, bytes, encode(sha256, 'hex')) from media where media_id = '{media_id}'");
    assert_eq!(
        acting.app.db.texts(&kept).await,
        [format!("fetched {} {}", bytes.len(), hex::encode(Sha256::digest(bytes)))]
    );
    acting.finish().await;
}

#[tokio::test]
async fn a_range_request_returns_exactly_that_range() {
    let acting = Acting::start().await;
    let media_id = acting.file(b"0123456789", "audio/amr", "a.amr");
    acting.sent("voice", &media_id, now()).await;
    acting.act(TaskKind::FetchMedia).await;
    for (range, body, content_range) in
        [("bytes=0-3", "0123", "bytes 0-3/10"), ("bytes=8-", "89", "bytes 8-9/10"), ("bytes=-1", "9", "bytes 9-9/10")]
    {
        let answer = acting.show_part(&media_id, range).await;
        assert_eq!((answer.status, answer.text().as_str()), (206, body));
        assert_eq!(header(&answer, "content-range"), Some(content_range));
        assert_eq!(header(&answer, "content-type"), Some("audio/amr"));
    }
    let beyond = acting.show_part(&media_id, "bytes=10-").await;
    assert_eq!(code(&beyond), (416, "range_not_satisfiable".to_owned()));
    assert_eq!(header(&beyond, "content-range"), Some("bytes */10"));
    let several = acting.show_part(&media_id, "bytes=0-1,4-5").await;
    assert_eq!((several.status, several.text().as_str()), (200, "0123456789"));
    acting.finish().await;
}

#[tokio::test]
async fn a_long_film_is_fetched_in_parts_and_each_part_once_despite_broken_connections() {
    let acting = Acting::start().await;
    let bytes = film((PARTS - 1) * usize::try_from(PART_BYTES).expect("small") + 1_000);
    let media_id = acting.file(&bytes, "video/mp4", "film.mp4");
    acting.sent("video", &media_id, now()).await;
    let drops = Fault { drop: Some(DropAt::Before), share: 0.6, ..Fault::default() };
    acting.platform.faults().set("media/get", drops);
    for _ in 0..15 {
        acting.act(TaskKind::FetchMedia).await;
    }

    assert_eq!(acting.left(TaskKind::FetchMedia).await, [""; 0]);
    let calls = acting.platform.calls_of("media/get");
    let first = calls.iter().position(|it| !it.dropped).expect("one came through");
    assert!(calls[first..].iter().any(|it| it.dropped), "the line dropped in the middle");
    assert_eq!(calls.iter().filter(|it| !it.dropped).count(), PARTS, "each part was fetched once");
    assert!(acting.show(&media_id).await.body == bytes, "the film is whole");
    let across = usize::try_from(PART_BYTES).expect("small") - 2;
    let part = acting.show_part(&media_id, &format!("bytes={across}-{}", across + 3)).await;
    assert_eq!((part.status, part.body.as_slice()), (206, &bytes[across..across + 4]));
    acting.finish().await;
}

#[tokio::test]
async fn a_download_goes_on_with_what_was_on_disk_when_the_process_died() {
    let acting = Acting::start().await;
    let part_bytes = usize::try_from(PART_BYTES).expect("small");
    let bytes = film(part_bytes + 10);
    let (media_id, at) = (acting.file(&bytes, "video/mp4", "film.mp4"), now());
    let name = Name::new(&acting.app.corp.corpid, DateTime::from_timestamp(at, 0).expect("in range"), &media_id);
    let store = &acting.app.app.admin_half.media;
    store.keep_part(&name, 0, bytes[..part_bytes].to_vec().into()).await.expect("kept");
    acting.sent("video", &media_id, at).await;
    acting.act(TaskKind::FetchMedia).await;
    assert_eq!(acting.platform.calls_of("media/get").len(), 1, "only the last part was missing");
    assert!(acting.show(&media_id).await.body == bytes, "the film is whole");
    acting.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_survives_the_death_of_its_process() {
    let (db, company, folder) = (TestDb::new().await, Company::new(), Folder::new("media"));
    company.save(&db.pool).await;
    company.entrust(&db.pool).await;
    let world = World::of(&company.corp, Size { members: 0, customers: 0, departments: 1 }, 1);
    let platform = Platform::start(world, ([127, 0, 0, 1], 0).into()).await.expect("it starts");
    let bytes = film((PARTS - 1) * usize::try_from(PART_BYTES).expect("small") + 1_000);
    let media_id = platform.with(|world| world.add_media(bytes.clone(), "video/mp4", "film.mp4"));
    // Slow answers leave time to kill the waiting process.
    platform.faults().set("media/get", Fault { latency: Duration::from_millis(300), ..Fault::default() });

    let mut conn = db.pool.acquire().await.expect("connects");
    let payload = Some(format!(r#"{{"contact_time":"{}"}}"#, Utc::now().to_rfc3339()));
    let task = Task { app_id: 1, payload, due_at: Utc::now(), deadline: None, marks: 1 };
    task::enqueue(&mut conn, &company.corp.corpid, TaskKind::FetchMedia, &media_id, task).await.expect("enqueued");
    drop(conn);
    let (url, base_url) = (db.url.expose_secret().to_owned(), platform.base_url());
    let location = folder.path().to_str().expect("UTF-8");
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("WECOMD_TASKS__ENABLED", "true"),
        ("WECOMD_WECOM__BASE_URL", base_url.as_str()),
        ("WECOMD_MEDIA__LOCATION", location),
    ];
    let mut wecomd = Daemon::start(&company.key, &settings, &["--no-callback"]).await;
    // The second part is only asked for when the first is on disk.
    until("the second part is asked for", async || platform.calls_of("media/get").len() >= 2).await;
    wecomd.kill();
    let before = platform.calls_of("media/get").len();
    db.execute("update task set leased_until = now()").await;
    wecomd.again();
    wecomd.ready().await;
    until("the film is whole", async || db.count("select count(*) from media where state = 'fetched'").await == 1)
        .await;

    let hash = db.texts("select encode(sha256, 'hex') from media").await;
    assert_eq!(hash, [hex::encode(Sha256::digest(&bytes))]);
    assert!(platform.calls_of("media/get").len() - before < PARTS, "parts on disk were not fetched again");
    until("the task is done", async || db.count("select count(*) from task").await == 0).await;
    wecomd.terminate();
    wecomd.ended().await;
    platform.stop().await;
    db.close().await;
}

#[tokio::test]
async fn media_that_wecom_no_longer_has_is_reported_as_gone_and_parked() {
    let acting = Acting::start().await;
    acting.sent("image", "never-was", now()).await;
    let old = acting.file(b"old picture", "image/png", "old.png");
    acting.sent("image", &old, now() - 4 * DAY_S).await;
    acting.act(TaskKind::FetchMedia).await;

    let left = acting.left(TaskKind::FetchMedia).await;
    assert!(
        left.iter().any(|it| it.starts_with("never-was parked: gone at WeCom 企业微信已不再保存: media/get: 40007")),
        "{left:?}"
    );
    assert!(
        left.iter().any(|it| it.starts_with(&old) && it.ends_with("older than three days 消息已超过三天")),
        "{left:?}"
    );
    assert_eq!(acting.platform.calls_of("media/get").len(), 1, "media that is too old is not requested");
    for media_id in ["never-was", &old] {
        let answer = acting.show(media_id).await;
        assert_eq!(code(&answer), (404, "media_gone".to_owned()));
        assert!(answer.text().contains("gone at WeCom"), "{}", answer.text());
    }
    assert!(acting.listed().await.contains(r#""state":"gone""#));
    acting.finish().await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_kept() {
    let acting = Acting::start_with(|config| config.media.bytes_max = 1_000).await;
    let media_id = acting.file(&film(1_001), "video/mp4", "film.mp4");
    acting.sent("video", &media_id, now()).await;
    acting.act(TaskKind::FetchMedia).await;
    let left = acting.left(TaskKind::FetchMedia).await;
    assert!(left[0].ends_with("parked: it has 1001 bytes, and media.bytes_max allows 1000"), "{left:?}");
    assert!(acting.listed().await.contains(r#""state":"too_large""#));
    assert_eq!(code(&acting.show(&media_id).await), (404, "media_gone".to_owned()));
    assert_eq!(std::fs::read_dir(acting.media.path()).expect("a folder").count(), 0);
    acting.finish().await;
}

#[tokio::test]
async fn active_content_is_never_served_to_a_browser_as_such() {
    let acting = Acting::start().await;
    for (content_type, filename) in
        [("text/html", "a.html"), ("image/svg+xml", "a.svg"), ("text/xml", "a.xml"), ("application/json", "a.json")]
    {
        let body = br#"{"errcode":40007,"errmsg":"<script>alert(1)</script>"}"#;
        let media_id = acting.file(body, content_type, filename);
        acting.sent("file", &media_id, now()).await;
        acting.act(TaskKind::FetchMedia).await;
        let answer = acting.show(&media_id).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, body.as_slice()), "{content_type}");
        assert_eq!(header(&answer, "content-type"), Some("application/octet-stream"));
        assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
        let disposition = header(&answer, "content-disposition").expect("a name");
        assert!(disposition.starts_with("attachment; "), "{disposition}");
    }
    acting.finish().await;
}

#[tokio::test]
async fn a_file_is_fetched_with_any_headers_and_keeps_its_name() {
    let acting = Acting::start().await;
    let header = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let headers = |disposition: Option<&str>| vec![header("content-disposition", disposition)];
    let cases = [
        (headers(None), None),
        (headers(Some("attachment")), None),
        (headers(Some("attachment; filename*=UTF-8''%E5%B0%8F%E9%9B%A8.jpg")), Some("小雨.jpg")),
        (headers(Some("attachment; filename=plain.jpg")), Some("plain.jpg")),
        (headers(Some("attachment; filename=\"_.jpg\"; filename*=utf-8''%E5%B0%8F.jpg")), Some("小.jpg")),
        ([headers(None), vec![header("content-range", None), header("content-type", None)]].concat(), None),
    ];
    for (number, (headers, name)) in cases.into_iter().enumerate() {
        let said = format!("{headers:?}");
        let media_id = acting.file(b"0123456789", "image/jpeg", "sent.jpg");
        acting.platform.faults().set("media/get", Fault { headers, ..Fault::default() });
        acting.sent("image", &media_id, now() - i64::try_from(number).expect("small")).await;
        acting.act(TaskKind::FetchMedia).await;
        assert_eq!(acting.left(TaskKind::FetchMedia).await, [""; 0], "{said}");
        let kept = format!("select concat_ws(' ', state, bytes, filename) from media where media_id = '{media_id}'");
        let expected = ["fetched", "10"].into_iter().chain(name).collect::<Vec<_>>().join(" ");
        assert_eq!(acting.app.db.texts(&kept).await, [expected], "{said}");
    }
    // An error answer is still treated as an error.
    acting.platform.faults().clear();
    acting.sent("image", "unknown", now()).await;
    acting.act(TaskKind::FetchMedia).await;
    let left = acting.left(TaskKind::FetchMedia).await.concat();
    assert!(left.contains("40007"), "{left}");
    acting.finish().await;
}
