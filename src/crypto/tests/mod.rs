//! What the tests of this folder share: the published vectors of `fixtures/sealed`.

mod vectors;

mod wire;

mod refusals;

mod laws;

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::*;

/// One file of `fixtures/sealed`. What a published vector does not state is null.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    kind: Kind,
    #[expect(dead_code, reason = "for the reader of the file")]
    source: String,
    token: Option<String>,
    encoding_aes_key: Option<String>,
    receive_id: Option<String>,
    timestamp: Option<String>,
    nonce: Option<String>,
    msg_signature: Option<String>,
    encrypt: String,
    plaintext: Option<String>,
    random_hex: Option<String>,
    pad: Option<u8>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// A URL verification.
    Echo,
    /// A push.
    Message,
    /// A passive reply.
    Reply,
    /// Only the signature is published.
    Signature,
    /// Only cipher and frame are published.
    Frame,
}

impl Vector {
    fn keys(&self) -> CallbackKeys {
        CallbackKeys::new(text(&self.token), text(&self.encoding_aes_key)).expect("published keys are valid")
    }

    fn receivers(&self) -> Receivers {
        Receivers::Exactly(vec![text(&self.receive_id).to_owned()])
    }

    fn query(&self) -> Query {
        Query {
            msg_signature: text(&self.msg_signature).to_owned(),
            timestamp: text(&self.timestamp).to_owned(),
            nonce: text(&self.nonce).to_owned(),
            echostr: None,
        }
    }

    fn open(&self) -> Result<Opened, OpenError> {
        open(&[self.keys()], &self.receivers(), &self.query(), &self.encrypt)
    }

    fn random(&self) -> [u8; 16] {
        let bytes = hex::decode(text(&self.random_hex)).expect("random_hex is hexadecimal");
        bytes.try_into().expect("random_hex has 16 bytes")
    }
}

fn text(field: &Option<String>) -> &str {
    field.as_deref().expect("this kind of vector has the field")
}

fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sealed");
    let vectors: Vec<Vector> = fs::read_dir(folder)
        .expect("the fixtures are part of the repository")
        .map(|entry| fs::read_to_string(entry.expect("readable folder").path()).expect("readable file"))
        .map(|json| serde_json::from_str(&json).expect("a vector"))
        .collect();
    assert_eq!(vectors.len(), 16, "V1 to V11, where V4 is two, and C1 to C4");
    vectors
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).expect("a vector of that name")
}

const ECHO: &str = "v1_official_echo";
const MESSAGE: &str = "v2_official_message";

/// Opens `encrypt` under a signature that is right for it, as only somebody with the Token could make.
fn open_signed(vector: &Vector, encrypt: &str) -> Result<Opened, OpenError> {
    let parts = [text(&vector.token), text(&vector.timestamp), text(&vector.nonce), encrypt];
    let mut query = vector.query();
    query.msg_signature = hex::encode(signature::sign(parts));
    open(&[vector.keys()], &vector.receivers(), &query, encrypt)
}
