//! Files: whole, in parts, expired, uploaded.

use std::time::Duration;

use serde_json::json;

use super::*;

/// One byte more than is fetched at once.
const LARGE_BYTES: usize = 20 * 1024 * 1024 + 1;

async fn ranged(service: &Service, media_id: &str, range: &str) -> Answered {
    let path = with_token(&format!("media/get?media_id={media_id}"), &service.token);
    service.ask(Method::GET, &path, &[(header::RANGE, range)], Bytes::new()).await.expect("answered")
}

#[tokio::test]
async fn a_file_that_looks_like_an_error_is_still_served_with_type_and_name() {
    let service = Service::start().await;
    let content = r#"{"errcode":40007,"errmsg":"a file"}"#;
    let media_id = service.platform.with(|world| world.add_media(content, "application/json", "回执\".json"));
    let whole = service.get(&format!("media/get?media_id={media_id}")).await;
    assert_eq!((whole.status, whole.bytes.as_ref()), (200, content.as_bytes()));
    assert_eq!(whole.header(header::CONTENT_DISPOSITION), "attachment; filename=\"回执.json\"".as_bytes());
    assert_eq!(whole.header(header::CONTENT_TYPE), b"application/json");
    assert_eq!(whole.header(header::CONTENT_LENGTH), content.len().to_string().as_bytes());

    let refused = service.get("media/get?media_id=unknown").await;
    assert!(refused.errcode() == 40007 && refused.header(header::CONTENT_DISPOSITION).is_empty());
    assert_eq!(service.get("media/get").await.errcode(), 41006);
}

#[tokio::test]
async fn a_file_is_gone_after_three_days() {
    let service = Service::start().await;
    let media_id = service.platform.with(|world| world.add_media("voice", "audio/amr", "a.amr"));
    service.platform.clock().advance(Duration::from_secs(3 * 24 * 3600));
    let token = service.new_token(AppKind::App).await;
    assert_eq!(service.get_with(&token, &format!("media/get?media_id={media_id}")).await.errcode(), 40007);
}

#[tokio::test]
async fn a_large_file_is_served_only_in_parts_that_add_up() {
    let service = Service::start().await;
    let bytes: Vec<u8> = (0..LARGE_BYTES).map(|n| (n / 1000) as u8).collect();
    let media_id = service.platform.with(|world| world.add_media(bytes.clone(), "video/mp4", "a.mp4"));
    assert_eq!(service.get(&format!("media/get?media_id={media_id}")).await.errcode(), 830_002);
    assert_eq!(ranged(&service, &media_id, &format!("bytes=0-{LARGE_BYTES}")).await.errcode(), 830_002);
    assert_eq!(ranged(&service, &media_id, "bytes=0-999").await.errcode(), 40146, "not a multiple of 16");

    let half = 10 * 1024 * 1024;
    let first = ranged(&service, &media_id, &format!("bytes=0-{}", half - 1)).await;
    let rest = ranged(&service, &media_id, &format!("bytes={half}-{}", LARGE_BYTES - 1)).await;
    assert_eq!((first.status, rest.status), (206, 206));
    let range = format!("bytes {half}-{}/{LARGE_BYTES}", LARGE_BYTES - 1);
    assert_eq!(rest.header(header::CONTENT_RANGE), range.as_bytes());
    assert!([first.bytes, rest.bytes].concat() == bytes, "the parts are not the file");
}

#[tokio::test]
async fn an_uploaded_file_can_be_fetched() {
    let service = Service::start().await;
    let upload = |kind: &str, content: &str| {
        let form = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"media\"; filename=\"合同.txt\"; filelength=12\r\n\
             Content-Type: text/plain\r\n\r\n{content}\r\n--XX--\r\n"
        );
        let path = with_token(&format!("media/upload?type={kind}"), &service.token);
        let service = &service;
        async move {
            let form_type = [(header::CONTENT_TYPE, "multipart/form-data; boundary=XX")];
            service.ask(Method::POST, &path, &form_type, Bytes::from(form)).await.expect("answered")
        }
    };
    let answer = upload("file", "some content").await.json();
    assert!(answer["errcode"] == 0 && answer["errmsg"] == "" && answer["created_at"].is_string(), "{answer}");
    assert_eq!(answer["type"], json!("file"));
    let fetched = service.get(&format!("media/get?media_id={}", answer["media_id"].as_str().expect("an id"))).await;
    assert_eq!(fetched.bytes.as_ref(), b"some content");
    assert_eq!(upload("hologram", "some content").await.errcode(), 40004);
    assert_eq!(upload("file", "tiny").await.errcode(), 44001);
    assert_eq!(upload("voice", &"x".repeat(2 * 1024 * 1024 + 1)).await.errcode(), 45001);
    assert_eq!(service.post("media/upload?type=file", json!({})).await.errcode(), 40058);
}
