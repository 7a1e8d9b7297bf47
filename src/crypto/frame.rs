//! The plaintext's frame: 16 random bytes, a length, the message, the receive id, and padding to 32 bytes.
//!
//! Its bytes come out of the cipher, so a wrong key makes them arbitrary: every length is checked before it is used.
//! WeCom pads to 32 although AES works in blocks of 16, which is why the cipher crate's own padding is of no use.

use super::error::OpenError;

/// WeCom pads to a multiple of this, so every ciphertext's length is one too.
pub(super) const PADDING_BLOCK: usize = 32;

/// The random bytes at the beginning; any value occurs, they are not text.
const RANDOM_BYTES: usize = 16;

/// The random bytes and the message's length, a big-endian `u32`.
const HEAD_BYTES: usize = RANDOM_BYTES + size_of::<u32>();

/// Takes the message and the receive id out of a decrypted frame; the message stays in the frame's own buffer.
pub(super) fn unwrap(mut frame: Vec<u8>) -> Result<(Vec<u8>, String), OpenError> {
    let body = unpad(&frame).ok_or(OpenError::Padding)?;
    let (head, rest) = body.split_first_chunk::<HEAD_BYTES>().ok_or(OpenError::Frame)?;
    let (_, length) = head.split_last_chunk::<{ size_of::<u32>() }>().ok_or(OpenError::Frame)?;
    let message_bytes = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| OpenError::Frame)?;
    let (_, receive_id) = rest.split_at_checked(message_bytes).ok_or(OpenError::Frame)?;
    let receive_id = str::from_utf8(receive_id).map_err(|_| OpenError::ReceiveId)?.to_owned();
    frame.truncate(HEAD_BYTES + message_bytes);
    frame.drain(..HEAD_BYTES);
    Ok((frame, receive_id))
}

/// Frames and pads a message.
///
/// A message beyond 4 GiB does not fit the frame's length field; it gets a length that every receiver refuses.
pub(super) fn wrap(random: &[u8; RANDOM_BYTES], message: &[u8], receive_id: &str) -> Vec<u8> {
    let message_bytes = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEAD_BYTES + message.len() + receive_id.len() + PADDING_BLOCK);
    frame.extend_from_slice(random);
    frame.extend_from_slice(&message_bytes.to_be_bytes());
    frame.extend_from_slice(message);
    frame.extend_from_slice(receive_id.as_bytes());
    pad(&mut frame);
    frame
}

/// Adds 1 to 32 bytes that each hold their own count; an aligned frame gets a whole block.
fn pad(frame: &mut Vec<u8>) {
    let padding = PADDING_BLOCK - frame.len() % PADDING_BLOCK;
    for _ in 0..padding {
        // At most 32, so the cast keeps the value.
        frame.push(padding as u8);
    }
}

/// The bytes before the padding, or nothing if any byte of the padding is wrong.
fn unpad(frame: &[u8]) -> Option<&[u8]> {
    let last = *frame.last()?;
    let padding = usize::from(last);
    if padding == 0 || padding > PADDING_BLOCK {
        return None;
    }
    let (body, tail) = frame.split_at_checked(frame.len().checked_sub(padding)?)?;
    tail.iter().all(|&byte| byte == last).then_some(body)
}
