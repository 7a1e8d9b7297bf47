//! Pictures and films in a bucket: the same promises as in a folder, kept over S3's own protocol.

use chrono::Utc;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use wecomd::{
    changes::{Task, TaskKind},
    sandbox::{Platform, Size, World},
    tables::{access::api_token, task},
    vault::ApiToken,
    wecom::media::PART_BYTES,
};

use crate::support::{
    Company, Daemon, TestDb,
    bucket::Bucket,
    http::{Answer, request},
    wait::until,
};

/// How many parts the long film has; the last is short.
const PARTS: usize = 3;

/// wecomd with a bucket, and the WeCom that has a film.
struct Scene {
    db: TestDb,
    company: Company,
    platform: Platform,
    bucket: Bucket,
    bearer: String,
    film: Vec<u8>,
    media_id: String,
}

impl Scene {
    /// Everything but wecomd, and a customer's film that is to be fetched.
    async fn set() -> Self {
        let (db, company, bucket) = (TestDb::new().await, Company::new(), Bucket::open().await);
        company.save(&db.pool).await;
        company.entrust(&db.pool).await;
        let world = World::of(&company.corp, Size { members: 0, customers: 0, departments: 1 }, 1);
        let platform = Platform::start(world, ([127, 0, 0, 1], 0).into()).await.expect("it starts");
        let length = (PARTS - 1) * usize::try_from(PART_BYTES).expect("small") + 1_000;
        let film: Vec<u8> = (0..length).map(|it| u8::try_from((it / 8_192 + it) % 251).expect("small")).collect();
        let media_id = platform.with(|world| world.add_media(film.clone(), "video/mp4", "film.mp4"));
        let mut conn = db.pool.acquire().await.expect("connects");
        let token = ApiToken::new();
        api_token::create(&mut conn, "test", wecomd::states::Role::Admin, &token.hash, &token.prefix)
            .await
            .expect("a token");
        let payload = Some(format!(r#"{{"contact_time":"{}"}}"#, Utc::now().to_rfc3339()));
        let task = Task { app_id: 1, payload, due_at: Utc::now(), deadline: None, marks: 1 };
        task::enqueue(&mut conn, &company.corp.corpid, TaskKind::FetchMedia, &media_id, task).await.expect("enqueued");
        drop(conn);
        let bearer = format!("Bearer {}", token.secret.expose_secret());
        Self { db, company, platform, bucket, bearer, film, media_id }
    }

    async fn wecomd(&self) -> Daemon {
        let base_url = self.platform.base_url();
        let own = [
            ("DATABASE_URL", self.db.url.expose_secret()),
            ("WECOMD_TASKS__ENABLED", "true"),
            ("WECOMD_WECOM__BASE_URL", base_url.as_str()),
        ];
        Daemon::start(&self.company.key, &[own.as_slice(), &self.bucket.settings()].concat(), &["--no-callback"]).await
    }

    async fn show(&self, wecomd: &Daemon, headers: &[(&str, &str)]) -> Answer {
        let headers = [&[("authorization", self.bearer.as_str())], headers].concat();
        let target = format!("/api/enterprise-wechat/media/{}", self.media_id);
        request(wecomd.admin, "GET", &target, &headers, b"").await.expect("an answer")
    }

    /// Returns when the film is in the bucket, whole and alone.
    async fn fetched(&self) {
        let fetched = "select count(*) from media where state = 'fetched'";
        until("the film is fetched", async || self.db.count(fetched).await == 1).await;
        let hash = self.db.texts("select encode(sha256, 'hex') from media").await;
        assert_eq!(hash, [hex::encode(Sha256::digest(&self.film))]);
        let location = self.db.texts("select location from media").await.concat();
        let held = vec![(format!("of/customers/{location}"), self.film.len() as u64)];
        assert_eq!(self.bucket.held(), held, "one object, and no part is left");
    }

    async fn finish(self, wecomd: Daemon) {
        drop(wecomd);
        self.platform.stop().await;
        self.db.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_film_goes_to_a_bucket_and_is_shown_from_there_while_the_bucket_answers() {
    let scene = Scene::set().await;
    let wecomd = scene.wecomd().await;
    scene.fetched().await;
    assert_eq!(scene.platform.calls_of("media/get").len(), PARTS);
    let whole = scene.show(&wecomd, &[]).await;
    assert_eq!(whole.status, 200, "{}", whole.head);
    assert!(whole.body == scene.film && whole.head.contains("content-type: video/mp4"), "{}", whole.head);

    // Across the seam of two parts, and from the end: nothing else travels.
    let seam = usize::try_from(PART_BYTES).expect("small");
    let part = scene.show(&wecomd, &[("range", &format!("bytes={}-{}", seam - 2, seam + 1))]).await;
    assert_eq!((part.status, part.body.as_slice()), (206, &scene.film[seam - 2..seam + 2]));
    let tail = scene.show(&wecomd, &[("range", "bytes=-3")]).await;
    assert_eq!((tail.status, tail.body.as_slice()), (206, &scene.film[scene.film.len() - 3..]));

    scene.bucket.cut(|_, _| true);
    let away = scene.show(&wecomd, &[]).await;
    assert_eq!((away.status, away.json()["code"].as_str()), (503, Some("media_unavailable")), "{}", away.text());
    scene.bucket.cut(|_, _| false);
    assert_eq!(scene.show(&wecomd, &[("range", "bytes=0-0")]).await.status, 206, "it is back");
    scene.finish(wecomd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_upload_to_a_bucket_resumes_with_the_stored_parts() {
    let scene = Scene::set().await;
    // The second part of the film never arrives.
    scene.bucket.cut(|method, target| method == "PUT" && target.contains("/parts/") && target.ends_with("/1"));
    let mut wecomd = scene.wecomd().await;
    let postponed = async |reason: &str| {
        let query = format!("select count(*) from task where attempts = 1 and reason like '%{reason}%'");
        until("the task is postponed", async || scene.db.count(&query).await == 1).await;
    };
    postponed("the media store does not work").await;
    wecomd.kill();
    let asked = scene.platform.calls_of("media/get").len();
    assert_eq!(asked, 2);

    // It is there at the next attempt; but the parts are not put together.
    scene.bucket.cut(|method, target| method == "PUT" && target.contains("partNumber=2"));
    scene.db.execute("update task set attempts = 0, reason = null, due_at = now(), leased_until = null").await;
    wecomd.again();
    wecomd.ready().await;
    postponed("the media store does not work").await;
    wecomd.kill();
    let again = scene.platform.calls_of("media/get").len();
    assert_eq!(again - asked, 2, "the first part is in the bucket");
    assert_eq!(scene.bucket.held().len(), 2, "two parts: {:?}", scene.bucket.held());
    assert!(scene.bucket.asked().iter().any(|it| it.starts_with("DELETE ") && it.contains("uploadId=")));

    scene.bucket.cut(|_, _| false);
    scene.db.execute("update task set attempts = 0, reason = null, due_at = now(), leased_until = null").await;
    wecomd.again();
    wecomd.ready().await;
    scene.fetched().await;
    assert_eq!(scene.platform.calls_of("media/get").len() - again, 1, "only the last part is kept nowhere");
    assert!(scene.show(&wecomd, &[]).await.body == scene.film, "the film is whole");
    scene.finish(wecomd).await;
}
