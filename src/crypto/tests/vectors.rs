//! Every published vector opens, and is sealed again byte for byte.

use super::*;

#[test]
fn every_published_vector_opens() {
    let mut opened_count = 0;
    for vector in vectors() {
        if matches!(vector.kind, Kind::Signature | Kind::Frame) {
            continue;
        }
        let opened = vector.open().unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        assert_eq!(opened.plaintext, text(&vector.plaintext).as_bytes(), "{}", vector.name);
        assert_eq!(opened.receive_id, text(&vector.receive_id), "{}", vector.name);
        assert_eq!(opened.key_set, 0);
        opened_count += 1;
    }
    assert_eq!(opened_count, 14);
}

#[test]
fn every_published_vector_is_sealed_byte_for_byte() {
    for vector in vectors() {
        if matches!(vector.kind, Kind::Signature | Kind::Frame) {
            continue;
        }
        let sealed = seal(
            &vector.keys(),
            text(&vector.receive_id),
            text(&vector.timestamp),
            text(&vector.nonce),
            text(&vector.plaintext).as_bytes(),
            vector.random(),
        );
        assert_eq!(sealed.encrypt, vector.encrypt, "{}", vector.name);
        assert_eq!(sealed.msg_signature, text(&vector.msg_signature), "{}", vector.name);
    }
}

#[test]
fn the_vector_with_a_signature_only_is_signed_alike() {
    let vector = vector("v10_skit_signature_only");
    assert_eq!(vector.kind, Kind::Signature);
    let signed = signature::sign([text(&vector.token), text(&vector.timestamp), text(&vector.nonce), &vector.encrypt]);
    assert_eq!(hex::encode(signed), text(&vector.msg_signature));
}

#[test]
fn the_vector_of_a_single_block_decrypts_and_encrypts_alike() {
    let vector = vector("v11_wechat_crypto_one_block");
    assert_eq!(vector.kind, Kind::Frame);
    let aes = cipher::AesKey::parse(text(&vector.encoding_aes_key)).expect("a valid key");
    let (message, receive_id) = frame::unwrap(aes.decrypt(&vector.encrypt).expect("decrypts")).expect("a frame");
    assert_eq!((message.as_slice(), receive_id.as_str()), (text(&vector.plaintext).as_bytes(), "rust"));
    assert_eq!(aes.encrypt(frame::wrap(&vector.random(), &message, &receive_id)), vector.encrypt);
}

#[test]
fn every_vector_is_padded_to_thirty_two_as_published() {
    for vector in vectors() {
        let Some(pad) = vector.pad else { continue };
        let aes = cipher::AesKey::parse(text(&vector.encoding_aes_key)).expect("a valid key");
        let frame = aes.decrypt(&vector.encrypt).expect("decrypts");
        assert_eq!(frame.last(), Some(&pad), "{}", vector.name);
        assert!(frame.len().is_multiple_of(32));
    }
}

#[test]
fn the_two_spare_bits_of_a_key_do_not_matter() {
    let vector = vector("v3_wechatpy_echo");
    let twin = format!("{}Q", text(&vector.encoding_aes_key).strip_suffix('R').expect("this key ends in R"));
    let keys = CallbackKeys::new(text(&vector.token), &twin).expect("a valid key");
    let opened = open(&[keys], &vector.receivers(), &vector.query(), &vector.encrypt).expect("opens");
    assert_eq!(opened.plaintext, b"5927782489442352469");
}
