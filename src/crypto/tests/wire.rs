//! Queries and envelopes, as gateways and WeCom write them.

use super::*;

#[test]
fn a_query_is_decoded_once() {
    let vector = vector(ECHO);
    let sealed = Sealed {
        encrypt: vector.encrypt.clone(),
        msg_signature: text(&vector.msg_signature).into(),
        timestamp: text(&vector.timestamp).into(),
        nonce: text(&vector.nonce).into(),
    };
    let raw = sealed.echo_query();
    assert!(raw.contains("xho%2FqYX3") && raw.contains("Ndtp%2B4RP") && raw.ends_with("naqQ%3D%3D"), "{raw}");
    let query = Query::parse(&raw).expect("a query");
    assert_eq!(query.echostr.as_deref(), Some(vector.encrypt.as_str()));
    assert_eq!(query, Query { echostr: query.echostr.clone(), ..vector.query() });
    assert_eq!(Query::parse(&sealed.query()).expect("a query"), vector.query());
}

#[test]
fn an_echo_that_lost_its_plus_and_padding_on_the_way_still_verifies() {
    let vector = vector(ECHO);
    let damaged = vector.encrypt.replace('+', " ");
    let error = open(&[vector.keys()], &vector.receivers(), &vector.query(), &damaged).expect_err("not repaired");
    assert_eq!(error, OpenError::Signature);

    let raw = format!(
        "timestamp={}&x=1&nonce={}&echostr={}&msg_signature={}",
        text(&vector.timestamp),
        text(&vector.nonce),
        vector.encrypt.trim_end_matches('='),
        text(&vector.msg_signature),
    );
    let query = Query::parse(&raw).expect("a query");
    let echostr = query.echostr.as_deref().expect("an echo");
    let opened = open(&[vector.keys()], &vector.receivers(), &query, echostr).expect("repaired");
    assert_eq!(opened.plaintext, b"1616140317555161061");
}

#[test]
fn a_query_with_a_missing_or_too_long_parameter_is_refused() {
    let long = "1".repeat(129);
    for raw in [
        "",
        "msg_signature=a&timestamp=1",
        "msg_signature=a&nonce=1",
        "timestamp=1&nonce=1",
        "msg_signature=a&timestamp=1&nonce=",
        &format!("msg_signature=a&timestamp=1&nonce={long}"),
        &format!("msg_signature=a&timestamp=1&nonce=1&echostr={}", "A".repeat(4097)),
        &format!("msg_signature=a&timestamp=1&nonce=1&other={}", "A".repeat(8192)),
    ] {
        assert_eq!(Query::parse(raw), Err(OpenError::Query), "{raw}");
    }
    let query = Query::parse("msg_signature=a&timestamp=1&nonce=n&nonce=m&echostr=").expect("a query");
    assert_eq!((query.nonce.as_str(), query.echostr), ("n", None), "the first counts, an empty echo is none");
}

#[test]
fn an_envelope_is_xml_or_json_in_any_order_and_case() {
    for body in [
        "<xml><ToUserName><![CDATA[ww1]]></ToUserName><Encrypt><![CDATA[QUJD]]></Encrypt></xml>",
        "<xml>\n  <AgentID>1</AgentID>\n  <Encrypt>\n  <![CDATA[QUJD]]>\n  </Encrypt>\n</xml>\n",
        "<xml><Encrypt> QUJD </Encrypt></xml>",
        r#"{"encrypt":"QUJD"}"#,
        r#" {"ToUserName":"ww1","AgentID":"1","Encrypt":"QUJD "}"#,
    ] {
        assert_eq!(envelope(body.as_bytes()).as_deref(), Ok("QUJD"), "{body}");
    }
}

#[test]
fn a_body_without_ciphertext_is_refused() {
    let bodies: [&[u8]; 8] = [
        b"",
        b"hello",
        b"<xml>",
        b"<xml><Encrypt></Encrypt></xml>",
        b"<xml><Encrypt><![CDATA[  ]]></Encrypt></xml>",
        b"<xml><Inner><Encrypt>QUJD</Encrypt></Inner></xml>",
        b"{\"inner\":{\"encrypt\":\"QUJD\"}}",
        b"\xff\xfe<xml/>",
    ];
    for body in bodies {
        assert_eq!(envelope(body), Err(OpenError::Envelope), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn text_written_into_an_envelope_cannot_escape_its_field() {
    let sealed = Sealed {
        encrypt: "QUJD".into(),
        msg_signature: "ab".into(),
        timestamp: "<1>".into(),
        nonce: "n]]><Encrypt>x</Encrypt>".into(),
    };
    let reply = sealed.reply_xml();
    assert_eq!(
        reply,
        "<xml><Encrypt><![CDATA[QUJD]]></Encrypt><MsgSignature><![CDATA[ab]]></MsgSignature>\
         <TimeStamp>&lt;1&gt;</TimeStamp><Nonce><![CDATA[n]]]]><![CDATA[><Encrypt>x</Encrypt>]]></Nonce></xml>"
    );
    assert_eq!(envelope(reply.as_bytes()).as_deref(), Ok("QUJD"));
    assert_eq!(envelope(sealed.push_xml("ww]]>1", "<2>").as_bytes()).as_deref(), Ok("QUJD"));
}

#[test]
fn a_robots_reply_has_a_number_for_its_timestamp() {
    let keys = vector(MESSAGE).keys();
    let sealed = seal_random(&keys, "", "1700000000", "n\"1", b"{}");
    let reply: serde_json::Value = serde_json::from_str(&sealed.reply_json()).expect("JSON");
    assert_eq!(reply["timestamp"], 1_700_000_000);
    assert_eq!(reply["nonce"], "n\"1");
    assert_eq!(reply["encrypt"], sealed.encrypt);
    assert_eq!(reply["msgsignature"], sealed.msg_signature);
}
