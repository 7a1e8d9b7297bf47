//! The format of a segment: what its bytes mean, how a record is sealed and opened. It reads and writes no file.
//!
//! A segment begins with its header, `WCSPOOL1 | key id u32 | salt 32 | number u64 | check 8`, and has a copy of it
//! 4 KiB later, so that no single damaged sector makes a whole segment unreadable. The key of its records is derived
//! from the master key of that id and from the salt, which is random: no two segments share a key. From 8 KiB on, one
//! record follows another: `magic u32 | length u32 | index u64 | check 8 | sealed`. The check is of salt, length and
//! index, so a record is recognised only in its own segment. `sealed` is AES-256-GCM with the index as nonce and the
//! header as associated data. The rest is zeros. All numbers are big-endian.

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce, Tag,
    aead::{AeadInOut, consts::U12},
};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::vault::{Vault, VaultError};

/// A callback in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id of the app that it came to.
    pub app_id: i32,
    /// The name of that app.
    pub app_name: String,
    /// When it arrived, in microseconds.
    pub received_at: DateTime<Utc>,
    /// Its decrypted content.
    pub plaintext: Vec<u8>,
}

/// What a segment says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The id of the master key.
    pub(super) key_id: u32,
    /// What its key is derived with.
    pub(super) salt: [u8; SALT_BYTES],
    /// Its number in its folder.
    pub(super) number: u64,
}

/// The beginning of a record, whose check holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// How many sealed bytes follow.
    pub(super) length: usize,
    /// The number of the record in its segment, from 0.
    pub(super) index: u64,
}

/// Seals and opens the records of one segment.
pub(super) struct Sealer {
    cipher: Aes256Gcm,
    salt: [u8; SALT_BYTES],
    header: [u8; HEADER_BYTES],
}

/// An opened record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// The index of the first record that was synced together with this one: everything before it was synced earlier.
    pub(super) group: u64,
    /// The callback.
    pub(super) record: Record,
}

/// Where the header's copy is.
pub(super) const COPY_AT: u64 = 4_096;

/// Where the records begin.
pub(super) const RECORDS_AT: u64 = 8_192;

/// The length of a header with its check.
pub(super) const HEADER_BYTES: usize = 60;

/// The length of what precedes a sealed record.
pub(super) const FRAME_BYTES: usize = 24;

/// The first bytes of every record.
pub(super) const RECORD_MAGIC: [u8; 4] = [0xd7, 0x5c, 0x0b, 0xe1];

/// The first bytes of every segment.
const MAGIC: &[u8; 8] = b"WCSPOOL1";

const SALT_BYTES: usize = 32;

const CHECK_BYTES: usize = 8;

const TAG_BYTES: usize = 16;

/// Group, app id, time, and the length of the name.
const FIXED_BYTES: usize = 22;

/// What the key of a segment is derived for.
const CONTEXT: &str = "spool";

impl Header {
    /// The header of a new segment, under the current master key.
    pub(super) fn new(vault: &Vault, number: u64) -> Self {
        Self { key_id: vault.current(), salt: rand::random(), number }
    }

    /// As it stands in the file.
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let body = [&MAGIC[..], &self.key_id.to_be_bytes(), &self.salt, &self.number.to_be_bytes()].concat();
        let mut bytes = [0; HEADER_BYTES];
        for (to, from) in bytes.iter_mut().zip(body.iter().chain(&check_of(&[&body]))) {
            *to = *from;
        }
        bytes
    }

    /// Reads a header; none if its check does not hold.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, rest) = bytes.split_at_checked(HEADER_BYTES - CHECK_BYTES)?;
        if rest.get(..CHECK_BYTES)? != check_of(&[body]) {
            return None;
        }
        let rest = body.strip_prefix(&MAGIC[..])?;
        let (key_id, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let number = rest.first_chunk()?;
        Some(Self { key_id: u32::from_be_bytes(*key_id), salt: *salt, number: u64::from_be_bytes(*number) })
    }
}

impl Sealer {
    /// Derives the key of a segment.
    pub(super) fn new(vault: &Vault, header: &Header) -> Result<Self, VaultError> {
        let key = vault.derived(header.key_id, CONTEXT, &header.salt)?;
        let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
        Ok(Self { cipher, salt: header.salt, header: header.encode() })
    }

    /// Appends a sealed record to `out`. An index is used once: it is the nonce. Fails only if the record is too long
    /// for the format or for AES-GCM.
    pub(super) fn seal(&self, index: u64, group: u64, record: &Record, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let length = u32::try_from(sealed_bytes(record)).map_err(|_| TooLong)?;
        let name = u16::try_from(record.app_name.len()).map_err(|_| TooLong)?;
        out.extend_from_slice(&RECORD_MAGIC);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&index.to_be_bytes());
        out.extend_from_slice(&self.check(length, index));
        let begin = out.len();
        out.extend_from_slice(&group.to_be_bytes());
        out.extend_from_slice(&record.app_id.to_be_bytes());
        out.extend_from_slice(&record.received_at.timestamp_micros().to_be_bytes());
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(record.app_name.as_bytes());
        out.extend_from_slice(&record.plaintext);
        let (_, plain) = out.split_at_mut(begin);
        let tag = self.cipher.encrypt_inout_detached(&nonce(index), &self.header, plain.into());
        out.extend_from_slice(&tag.map_err(|_| TooLong)?);
        Ok(())
    }

    /// Reads the beginning of a record; none if it is not one of this segment.
    pub(super) fn frame(&self, bytes: &[u8]) -> Option<Frame> {
        let rest = bytes.strip_prefix(&RECORD_MAGIC[..])?;
        let (length, rest) = rest.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let check = rest.first_chunk::<CHECK_BYTES>()?;
        let (length, index) = (u32::from_be_bytes(*length), u64::from_be_bytes(*index));
        (*check == self.check(length, index)).then_some(Frame { length: length as usize, index })
    }

    /// Opens a sealed record; none if its tag does not fit.
    pub(super) fn open(&self, index: u64, sealed: &[u8]) -> Option<Opened> {
        let (plain, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
        let mut plain = plain.to_vec();
        let tag = Tag::from(*tag);
        self.cipher.decrypt_inout_detached(&nonce(index), &self.header, plain.as_mut_slice().into(), &tag).ok()?;
        let (group, rest) = plain.split_first_chunk()?;
        let (app_id, rest) = rest.split_first_chunk()?;
        let (micros, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_first_chunk()?;
        let (name, plaintext) = rest.split_at_checked(u16::from_be_bytes(*name).into())?;
        let record = Record {
            app_id: i32::from_be_bytes(*app_id),
            app_name: std::str::from_utf8(name).ok()?.to_owned(),
            received_at: DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?,
            plaintext: plaintext.to_vec(),
        };
        Some(Opened { group: u64::from_be_bytes(*group), record })
    }

    fn check(&self, length: u32, index: u64) -> [u8; CHECK_BYTES] {
        check_of(&[&self.salt, &length.to_be_bytes(), &index.to_be_bytes()])
    }
}

/// A record is too long for the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the callback is too long for the spool")]
pub(super) struct TooLong;

/// How many bytes a record takes in a segment.
pub(super) fn record_bytes(record: &Record) -> u64 {
    (FRAME_BYTES + sealed_bytes(record)) as u64
}

fn sealed_bytes(record: &Record) -> usize {
    FIXED_BYTES + record.app_name.len() + record.plaintext.len() + TAG_BYTES
}

fn check_of(parts: &[&[u8]]) -> [u8; CHECK_BYTES] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|it| hash.update(it));
    let mut check = [0; CHECK_BYTES];
    for (to, from) in check.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    check
}

fn nonce(index: u64) -> Nonce<U12> {
    let [a, b, c, d, e, f, g, h] = index.to_be_bytes();
    Nonce::from([0, 0, 0, 0, a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let received_at = DateTime::from_timestamp_micros(1_700_000_000_123_456).expect("a time");
        Record { app_id: 7, app_name: "service".to_owned(), received_at, plaintext: b"<xml/>".to_vec() }
    }

    #[test]
    fn a_sealed_record_opens_at_its_index_in_its_segment_alone() {
        let vault = Vault::random();
        let header = Header::new(&vault, 3);
        let sealer = Sealer::new(&vault, &header).expect("a key");
        let mut bytes = Vec::new();
        sealer.seal(5, 4, &record(), &mut bytes).expect("sealed");
        assert_eq!(bytes.len() as u64, record_bytes(&record()));
        let frame = sealer.frame(&bytes).expect("a frame");
        assert_eq!(frame.index, 5);
        let sealed = &bytes[FRAME_BYTES..];
        assert_eq!(frame.length, sealed.len());
        assert_eq!(sealer.open(5, sealed), Some(Opened { group: 4, record: record() }));
        assert_eq!(sealer.open(6, sealed), None, "the index is the nonce");
        let other = Sealer::new(&vault, &Header::new(&vault, 3)).expect("a key");
        assert_eq!(other.frame(&bytes), None, "another segment has another salt");
        assert_eq!(other.open(5, sealed), None);
    }

    #[test]
    fn a_header_with_a_changed_byte_is_not_read() {
        let header = Header::new(&Vault::random(), u64::MAX);
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Some(header));
        for at in 0..bytes.len() {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(Header::decode(&changed), None, "{at}");
            assert_eq!(Header::decode(&bytes[..at]), None, "{at}");
        }
    }

    #[test]
    fn a_segment_needs_the_master_key_that_its_header_names() {
        let header = Header { key_id: 9, ..Header::new(&Vault::random(), 1) };
        let missing = Sealer::new(&Vault::random(), &header).err().expect("there is no key 9");
        assert!(matches!(missing, VaultError::UnknownKey { needed: 9, .. }), "{missing}");
    }
}
