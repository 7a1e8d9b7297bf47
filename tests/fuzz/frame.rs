//! Frames that are correctly signed and encrypted but wrong inside: what an insider with the keys, or WeCom with a
//! defect, could send. Cipher and signature are made here, apart from the program's own.

use std::sync::atomic::{AtomicUsize, Ordering};

use aes::{Aes256, cipher::array::Array};
use base64::{Engine, engine::general_purpose::STANDARD};
use bolero::{TypeGenerator, check};
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use sha1::{Digest, Sha1};
use wecomd::crypto::{CallbackKeys, OpenError, Query, Receivers, open};

use crate::{ITERATIONS, SHRINK_LIMIT, TIME_LIMIT};

const TOKEN: &str = "QDG6eK";
const ENCODING_AES_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2A";
const CORPID: &str = "ww1";

/// The random bytes and the message's length.
const HEAD_BYTES: usize = 20;

/// WeCom pads to a multiple of this.
const BLOCK_BYTES: usize = 32;

#[test]
fn a_signed_frame_opens_if_and_only_if_each_of_its_parts_is_right() {
    // Counts the outcomes: the test must fail if no input reaches one of them.
    static SEEN: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];
    check!()
        .with_type::<Frame>()
        .with_iterations(ITERATIONS)
        .with_test_time(TIME_LIMIT)
        .with_shrink_time(SHRINK_LIMIT)
        .for_each(|frame: &Frame| {
            let bytes = frame.bytes();
            let encrypt = encrypted(&bytes);
            let opened = open(&[keys()], &corp(), &signed(&encrypt), &encrypt).map(|it| (it.plaintext, it.receive_id));
            let expected = read(&bytes);
            SEEN[way_out(&expected)].fetch_add(1, Ordering::Relaxed);
            assert_eq!(opened, expected);
        });
    assert!(SEEN.iter().all(|it| it.load(Ordering::Relaxed) > 0), "some outcomes never occurred: {SEEN:?}");
}

#[test]
fn a_frame_never_opens_once_its_signature_or_ciphertext_is_changed() {
    check!()
        .with_type::<(Vec<u8>, u8, u8)>()
        .with_iterations(ITERATIONS)
        .with_test_time(TIME_LIMIT)
        .with_shrink_time(SHRINK_LIMIT)
        .for_each(|(message, at, change): &(Vec<u8>, u8, u8)| {
            let whole = Frame { message: message.clone(), ..Frame::right() };
            let encrypt = encrypted(&whole.bytes());
            let query = signed(&encrypt);
            assert!(open(&[keys()], &corp(), &query, &encrypt).is_ok());
            let outcome = |query: &Query, encrypt: &str| open(&[keys()], &corp(), query, encrypt).map(|_| ());

            let forged = Query { msg_signature: changed(&query.msg_signature, *at, *change), ..query.clone() };
            assert_eq!(outcome(&forged, &encrypt), Err(OpenError::Signature));
            let forged = Query { nonce: changed(&query.nonce, *at, *change), ..query.clone() };
            assert_eq!(outcome(&forged, &encrypt), Err(OpenError::Signature));
            assert_eq!(outcome(&query, &changed(&encrypt, *at, *change)), Err(OpenError::Signature));

            let stranger = Receivers::Exactly(vec!["ww2".to_owned()]);
            let opened = open(&[keys()], &stranger, &query, &encrypt).map(|_| ());
            assert_eq!(opened, Err(OpenError::ReceiveId));
        });
}

#[test]
fn a_correctly_signed_text_that_was_never_encrypted_never_opens() {
    check!().with_iterations(ITERATIONS).with_test_time(TIME_LIMIT).with_shrink_time(SHRINK_LIMIT).for_each(
        |bytes: &[u8]| {
            for text in [String::from_utf8_lossy(bytes).into_owned(), STANDARD.encode(bytes)] {
                let refused = open(&[keys()], &corp(), &signed(&text), &text).map(|_| ());
                let refused = refused.expect_err("nobody encrypted it");
                assert!(!matches!(refused, OpenError::Signature | OpenError::Query | OpenError::Envelope), "{refused}");
            }
        },
    );
}

/// A frame whose parts may each be wrong.
#[derive(Debug, TypeGenerator)]
struct Frame {
    random: [u8; 16],
    length: Length,
    message: Vec<u8>,
    receiver: Receiver,
    padding: Padding,
}

#[derive(Debug, TypeGenerator)]
enum Length {
    Right,
    Off(i8),
    Any(u32),
}

#[derive(Debug, TypeGenerator)]
enum Receiver {
    Right,
    None,
    Any(Vec<u8>),
}

#[derive(Debug, TypeGenerator)]
enum Padding {
    Right,
    /// The frame is cut to whole blocks without padding.
    None,
    /// The last bytes are replaced by these.
    Any(u8, u8),
}

impl Frame {
    fn right() -> Self {
        let (length, receiver, padding) = (Length::Right, Receiver::Right, Padding::Right);
        Self { random: [7; 16], length, message: Vec::new(), receiver, padding }
    }

    /// The frame, always whole blocks, because the cipher takes nothing else.
    fn bytes(&self) -> Vec<u8> {
        let right = u32::try_from(self.message.len()).expect("short");
        let length = match self.length {
            Length::Right => right,
            Length::Off(by) => right.wrapping_add_signed(by.into()),
            Length::Any(length) => length,
        };
        let receiver = match &self.receiver {
            Receiver::Right => CORPID.as_bytes(),
            Receiver::None => &[],
            Receiver::Any(bytes) => bytes,
        };
        let mut bytes = [&self.random[..], &length.to_be_bytes(), &self.message, receiver].concat();
        let missing = BLOCK_BYTES - bytes.len() % BLOCK_BYTES;
        let right = u8::try_from(missing).expect("at most 32");
        match self.padding {
            Padding::Right => bytes.resize(bytes.len() + missing, right),
            Padding::None => bytes.truncate((bytes.len() - bytes.len() % BLOCK_BYTES).max(BLOCK_BYTES)),
            Padding::Any(count, value) => {
                bytes.resize(bytes.len() + missing, right);
                let from = bytes.len() - usize::from(count).min(bytes.len());
                bytes[from..].fill(value);
            }
        }
        bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        bytes
    }
}

/// A second, independent reading of a frame, from its end to its beginning.
fn read(frame: &[u8]) -> Result<(Vec<u8>, String), OpenError> {
    let padding = frame[frame.len() - 1];
    let padded = frame.iter().rev().take_while(|it| **it == padding).count();
    if !(1..=BLOCK_BYTES).contains(&padding.into()) || padded < padding.into() {
        return Err(OpenError::Padding);
    }
    let body = &frame[..frame.len() - usize::from(padding)];
    if body.len() < HEAD_BYTES {
        return Err(OpenError::Frame);
    }
    let length = body[16..HEAD_BYTES].iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if length > body.len() - HEAD_BYTES {
        return Err(OpenError::Frame);
    }
    let receiver = &body[HEAD_BYTES + length..];
    if receiver != CORPID.as_bytes() {
        return Err(OpenError::ReceiveId);
    }
    Ok((body[HEAD_BYTES..HEAD_BYTES + length].to_vec(), CORPID.to_owned()))
}

fn way_out(outcome: &Result<(Vec<u8>, String), OpenError>) -> usize {
    match outcome {
        Ok(_) => 0,
        Err(OpenError::Padding) => 1,
        Err(OpenError::Frame) => 2,
        Err(_) => 3,
    }
}

fn encrypted(frame: &[u8]) -> String {
    let key = STANDARD.decode(format!("{ENCODING_AES_KEY}=")).expect("a key");
    let mut bytes = frame.to_vec();
    let (blocks, rest) = Array::slice_as_chunks_mut(&mut bytes);
    assert!(rest.is_empty());
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&key, &key[..16]);
    cipher.expect("32 and 16 bytes").encrypt_blocks(blocks);
    STANDARD.encode(bytes)
}

fn signed(encrypt: &str) -> Query {
    let (timestamp, nonce) = ("1700000000", "263014780");
    let mut parts = [TOKEN, timestamp, nonce, encrypt];
    parts.sort_unstable();
    let msg_signature = hex::encode(Sha1::digest(parts.concat()));
    Query { msg_signature, timestamp: timestamp.to_owned(), nonce: nonce.to_owned(), echostr: None }
}

/// The text with one of its characters replaced by another.
fn changed(text: &str, at: u8, change: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = usize::from(at) % bytes.len();
    // Case must not be all that changes: hexadecimal digits have none.
    let others: Vec<u8> = (b'0'..=b'9').filter(|it| *it != bytes[at]).collect();
    bytes[at] = others[usize::from(change) % others.len()];
    String::from_utf8(bytes).expect("ASCII")
}

fn keys() -> CallbackKeys {
    CallbackKeys::new(TOKEN, ENCODING_AES_KEY).expect("valid keys")
}

fn corp() -> Receivers {
    Receivers::Exactly(vec![CORPID.to_owned()])
}
