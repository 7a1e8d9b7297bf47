//! Inputs that must not open, each refused at its own step, and secrets that must not be printed.

use super::*;

#[test]
fn an_upper_case_signature_is_the_same_signature() {
    let mut vector = vector(MESSAGE);
    vector.msg_signature = Some(text(&vector.msg_signature).to_ascii_uppercase());
    assert!(vector.open().is_ok());
}

#[test]
fn swapping_timestamp_and_nonce_does_not_change_the_signature() {
    let mut vector = vector(MESSAGE);
    std::mem::swap(&mut vector.timestamp, &mut vector.nonce);
    assert!(vector.open().is_ok());
}

#[test]
fn a_signature_with_any_digit_changed_is_refused() {
    let good = vector(MESSAGE);
    for at in 0..40 {
        let mut digits = text(&good.msg_signature).as_bytes().to_vec();
        let digit = digits.get_mut(at).expect("40 digits");
        *digit = if *digit == b'0' { b'1' } else { b'0' };
        let mut forged = vector(MESSAGE);
        forged.msg_signature = Some(String::from_utf8(digits).expect("ASCII"));
        assert_eq!(forged.open().expect_err("forged"), OpenError::Signature);
    }
}

#[test]
fn a_malformed_signature_is_refused() {
    let good = text(&vector(MESSAGE).msg_signature).to_owned();
    for shape in ["", "0", "zz", &good[..38], &format!("{good}00"), &format!(" {good}"), &"g".repeat(40)] {
        let mut forged = vector(MESSAGE);
        forged.msg_signature = Some(shape.to_owned());
        assert_eq!(forged.open().expect_err("forged"), OpenError::Signature, "{shape}");
    }
}

#[test]
fn an_unsigned_text_is_refused_before_it_is_decoded() {
    let vector = vector(MESSAGE);
    for encrypt in ["", "!", "not base64", "AAAA"] {
        let error = open(&[vector.keys()], &vector.receivers(), &vector.query(), encrypt).expect_err("unsigned");
        assert_eq!(error, OpenError::Signature);
    }
}

#[test]
fn each_step_behind_the_signature_refuses_its_own_kind_of_damage() {
    let vector = vector(MESSAGE);
    let cut = |bytes: usize| {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let mut cipher = STANDARD.decode(&vector.encrypt).expect("base64");
        cipher.truncate(cipher.len() - bytes);
        STANDARD.encode(cipher)
    };
    assert_eq!(open_signed(&vector, "not base64").expect_err("damaged"), OpenError::Base64);
    assert_eq!(open_signed(&vector, "").expect_err("damaged"), OpenError::Cipher);
    assert_eq!(open_signed(&vector, &cut(16)).expect_err("damaged"), OpenError::Cipher);
    assert_eq!(open_signed(&vector, &cut(32)).expect_err("damaged"), OpenError::Padding);
}

#[test]
fn padding_must_be_whole() {
    assert_eq!(frame::unwrap(Vec::new()), Err(OpenError::Padding));
    for last in [0, 33, 255] {
        let mut bytes = vec![last; 64];
        assert_eq!(frame::unwrap(bytes.clone()), Err(OpenError::Padding), "{last}");
        bytes.truncate(32);
        assert_eq!(frame::unwrap(bytes), Err(OpenError::Padding), "{last}");
    }
    let mut uneven = frame::wrap(&[7; 16], b"<xml></xml>", "ww1");
    let before_last = uneven.len() - 2;
    uneven[before_last] ^= 1;
    assert_eq!(frame::unwrap(uneven), Err(OpenError::Padding));
}

#[test]
fn a_length_beyond_the_frame_is_refused() {
    for length in [12_u32, 13, 1 << 16, u32::MAX] {
        let mut bytes = frame::wrap(&[7; 16], b"<xml></xml>", "");
        bytes[16..20].copy_from_slice(&length.to_be_bytes());
        assert_eq!(frame::unwrap(bytes), Err(OpenError::Frame), "{length}");
    }
    assert_eq!(frame::unwrap(vec![32; 32]), Err(OpenError::Frame), "padding only");
}

#[test]
fn a_receive_id_that_is_not_expected_is_refused() {
    let vector = vector(MESSAGE);
    let id = text(&vector.receive_id).to_owned();
    let open_for = |receivers| open(&[vector.keys()], &receivers, &vector.query(), &vector.encrypt);
    assert!(open_for(Receivers::Exactly(vec!["ww2".into(), id])).is_ok());
    for receivers in
        [Receivers::Exactly(vec!["ww2".into(), String::new()]), Receivers::Exactly(Vec::new()), Receivers::Empty]
    {
        assert_eq!(open_for(receivers).expect_err("not for us"), OpenError::ReceiveId);
    }
}

#[test]
fn a_robot_has_no_receive_id() {
    let vector = vector("c1_robot_empty_receiveid");
    let open_for = |receivers| open(&[vector.keys()], &receivers, &vector.query(), &vector.encrypt);
    assert!(open_for(Receivers::Empty).is_ok());
    assert!(open_for(Receivers::Exactly(vec!["ww1".into(), String::new()])).is_ok());
    assert!(open_for(Receivers::Exactly(vec!["ww1".into()])).is_err());
}

#[test]
fn the_signature_decides_among_several_key_sets() {
    let vector = vector(MESSAGE);
    let other = CallbackKeys::new("another", &"a".repeat(43)).expect("valid");
    let opened = open(&[other.clone(), vector.keys()], &vector.receivers(), &vector.query(), &vector.encrypt)
        .expect("the second set opens it");
    assert_eq!(opened.key_set, 1);
    let error = open(&[other], &vector.receivers(), &vector.query(), &vector.encrypt).expect_err("no set fits");
    assert_eq!(error, OpenError::Signature);
    assert!(open(&[], &vector.receivers(), &vector.query(), &vector.encrypt).is_err());
}

#[test]
fn key_sets_with_one_token_and_two_aes_keys_are_both_tried() {
    let vector = vector(MESSAGE);
    let stale = CallbackKeys::new(text(&vector.token), &"a".repeat(43)).expect("valid");
    for (keys, key_set) in [([stale.clone(), vector.keys()], 1), ([vector.keys(), stale.clone()], 0)] {
        let opened = open(&keys, &vector.receivers(), &vector.query(), &vector.encrypt).expect("one set opens it");
        assert_eq!(opened.key_set, key_set);
    }
    let error = open(&[stale], &vector.receivers(), &vector.query(), &vector.encrypt).expect_err("the wrong key");
    assert!(matches!(error, OpenError::Padding | OpenError::Frame | OpenError::ReceiveId), "{error}");
}

#[test]
fn a_wrong_key_says_what_to_fix() {
    let key = "a".repeat(43);
    assert!(CallbackKeys::new(&"t".repeat(32), &key).is_ok());
    assert_eq!(CallbackKeys::new("", &key).err(), Some(KeyError::TokenEmpty));
    assert_eq!(CallbackKeys::new(&"t".repeat(33), &key).err(), Some(KeyError::TokenLength(33)));
    assert_eq!(CallbackKeys::new("t t", &key).err(), Some(KeyError::TokenCharacter));
    assert_eq!(CallbackKeys::new("t", &key[1..]).err(), Some(KeyError::AesKeyLength(42)));
    assert_eq!(CallbackKeys::new("t", &format!("{key}=")).err(), Some(KeyError::AesKeyLength(44)));
    for bad in ["=", "-", "中"] {
        let text = format!("{}{bad}", &key[1..]);
        assert_eq!(CallbackKeys::new("t", &text).err(), Some(KeyError::AesKeyCharacter), "{bad}");
    }
    assert!(KeyError::AesKeyLength(44).to_string().contains("without a final '='"));
}

#[test]
fn printing_shows_neither_secrets_nor_plaintext() {
    let vector = vector(MESSAGE);
    let shown = format!("{:?} {:?}", vector.keys(), vector.open().expect("opens"));
    assert_eq!(
        shown,
        "CallbackKeys { .. } Opened { plaintext_bytes: 284, receive_id: \"wx5823bf96d3bd56c7\", key_set: 0 }"
    );
}

#[test]
fn every_step_has_a_label_of_its_own() {
    use OpenError::*;
    let steps = [Query, Envelope, Signature, Base64, Cipher, Padding, Frame, ReceiveId].map(|error| error.step());
    assert_eq!(steps, ["query", "envelope", "signature", "base64", "cipher", "padding", "frame", "receiveid"]);
}
