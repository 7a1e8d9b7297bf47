//! Properties that hold for any message, key and input.

use proptest::prelude::*;

use super::*;

prop_compose! {
    fn any_keys()(token in "[A-Za-z0-9]{1,32}", key in "[A-Za-z0-9+/]{43}") -> CallbackKeys {
        CallbackKeys::new(&token, &key).expect("valid by construction")
    }
}

fn laws() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(laws())]

    #[test]
    fn any_sealed_plaintext_opens_to_the_same_bytes(
        keys in any_keys(),
        receive_id in ".{0,64}",
        timestamp in "[0-9]{1,12}",
        nonce in "[A-Za-z0-9]{1,16}",
        message in prop::collection::vec(any::<u8>(), 0..700),
        to_user in ".{0,20}",
    ) {
        let sealed = seal_random(&keys, &receive_id, &timestamp, &nonce, &message);
        let query = Query::parse(&sealed.query()).expect("our own query");
        let body = sealed.push_xml(&to_user.replace(|c: char| c.is_control(), ""), "1000002");
        let encrypt = envelope(body.as_bytes()).expect("our own envelope");
        let receivers = Receivers::Exactly(vec![receive_id.clone()]);
        let opened = open(&[keys], &receivers, &query, &encrypt).expect("our own seal");
        prop_assert_eq!(opened.plaintext, message);
        prop_assert_eq!(opened.receive_id, receive_id);
    }

    #[test]
    fn a_changed_ciphertext_never_opens(
        keys in any_keys(),
        message in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..128,
    ) {
        let sealed = seal_random(&keys, "ww1", "1", "2", &message);
        let mut bytes = sealed.encrypt.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let changed = String::from_utf8(bytes).expect("ASCII stays ASCII");
        let query = Query::parse(&sealed.query()).expect("our own query");
        let outcome = open(&[keys], &Receivers::Exactly(vec!["ww1".into()]), &query, &changed);
        prop_assert_eq!(outcome.expect_err("changed"), OpenError::Signature);
    }

    #[test]
    fn bytes_not_encrypted_with_our_key_never_open_even_if_signed_correctly(
        blocks in prop::collection::vec(any::<[u8; 32]>(), 0..12),
        text in ".{0,200}",
    ) {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let vector = vector(MESSAGE);
        prop_assert!(open_signed(&vector, &STANDARD.encode(blocks.concat())).is_err());
        prop_assert!(open_signed(&vector, &text).is_err());
    }

    #[test]
    fn a_frame_is_either_refused_or_exactly_what_we_would_write(
        random in any::<[u8; 16]>(),
        length in 0_u32..80,
        rest in prop::collection::vec(any::<u8>(), 0..80),
        pad in 0_u8..40,
    ) {
        let mut bytes = [&random[..], &length.to_be_bytes(), &rest].concat();
        bytes.extend(vec![pad; usize::from(pad)]);
        if let Ok((message, receive_id)) = frame::unwrap(bytes.clone())
            && bytes.len().is_multiple_of(32)
        {
            prop_assert_eq!(frame::wrap(&random, &message, &receive_id), bytes);
        }
    }

    #[test]
    fn arbitrary_input_is_refused_without_a_panic(
        query in prop_oneof![".{0,300}", "msg_signature=[0-9a-f]{40}&timestamp=.{1,20}&nonce=.{1,20}&echostr=.{0,60}"],
        body in prop::collection::vec(any::<u8>(), 0..300),
        encrypt in ".{0,100}",
    ) {
        let _ = envelope(&body);
        if let Ok(query) = Query::parse(&query) {
            prop_assert!(open(&[vector(ECHO).keys()], &vector(ECHO).receivers(), &query, &encrypt).is_err());
        }
    }
}
