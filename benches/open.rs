//! What it costs to read a callback, beside what its cryptography alone costs.
//!
//! One thread, one day's callbacks over and over. "raw" is the least that anybody must do for the same bytes, with
//! the same crates: SHA-1 over the four signed strings, base64, AES-256-CBC. We add the query, the envelope, every
//! check of the frame and the receiver, and hand out a plaintext of its own.

mod support;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aes::{Aes256, cipher::array::Array};
use anyhow::Context;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use sha1::{Digest, Sha1};
use support::{
    callback::{Callback, sealed_day},
    figures::{Series, grouped, judge},
    options::Options,
    supply::Supply,
};
use wecomd::{
    crypto::{CallbackKeys, Query, Receivers, envelope, open},
    sandbox::{App, AppKind},
};

/// Few enough to stay in the processor's cache, as a body that was just received does.
const CALLBACKS: usize = 1_000;

/// How long one contender runs before the next has its turn.
const SECONDS: f64 = 0.5;

/// An EncodingAESKey's last character carries two bits too many.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("open", SECONDS)? else { return Ok(()) };
    let mut supply = Supply::new();
    let app = supply.corp.app(AppKind::App).context("the company has an app")?.clone();
    let callbacks: Vec<_> = sealed_day(&mut supply, CALLBACKS)?.into_iter().filter(|it| it.app == app.name).collect();
    let bytes = callbacks.iter().map(|it| it.body.len()).sum::<usize>() / callbacks.len();
    println!("open: {} callbacks of {bytes} bytes on average, {} rounds", callbacks.len(), options.rounds);
    println!("  The machine's other work disturbs the rates more than the ratios.");

    let (reader, raw) = (Reader::new(&app)?, Raw::new(&app)?);
    let opened = callbacks.iter().map(Signed::new).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut whole, mut alone, mut least) = (Series::default(), Series::default(), Series::default());
    for _ in 0..options.rounds {
        whole.push(rate(options.window, &callbacks, |it| reader.read(it))?);
        alone.push(rate(options.window, &opened, |it| reader.open(it))?);
        least.push(rate(options.window, &opened, |it| raw.open(it))?);
    }
    println!("\n  {:<34} {:>12} {:>8} {:>7}", "", "callbacks/s", "µs each", "× raw");
    for (name, series) in
        [("query, envelope, open", &whole), ("open alone", &alone), ("raw SHA-1, base64, AES-CBC", &least)]
    {
        let median = series.median();
        println!("  {name:<34} {:>12} {:>8.2} {:>7.2}", grouped(median), 1e6 / median, least.over(series));
    }
    println!();
    judge(least.over(&alone), "×", ..=1.5, "verify and decrypt, in units of the raw cryptography");
    Ok(())
}

/// Callbacks per second, over whole passes.
fn rate<T>(window: Duration, callbacks: &[T], read: impl Fn(&T) -> anyhow::Result<usize>) -> anyhow::Result<f64> {
    let (began, mut passes) = (Instant::now(), 0);
    while passes == 0 || began.elapsed() < window {
        for callback in callbacks {
            black_box(read(black_box(callback))?);
        }
        passes += 1;
    }
    Ok((passes * callbacks.len()) as f64 / began.elapsed().as_secs_f64())
}

/// What the public door does between the body and the inbox.
struct Reader {
    keys: Vec<CallbackKeys>,
    receivers: Receivers,
}

impl Reader {
    fn new(app: &App) -> anyhow::Result<Self> {
        Ok(Self { keys: vec![app.keys()?], receivers: Receivers::Exactly(vec![app.receive_id.clone()]) })
    }

    fn read(&self, callback: &Callback) -> anyhow::Result<usize> {
        let query = Query::parse(&callback.query)?;
        let encrypt = envelope(callback.body.as_bytes())?;
        Ok(open(&self.keys, &self.receivers, &query, &encrypt)?.plaintext.len())
    }

    fn open(&self, signed: &Signed) -> anyhow::Result<usize> {
        Ok(open(&self.keys, &self.receivers, &signed.query, &signed.encrypt)?.plaintext.len())
    }
}

/// A callback whose query and envelope are read already.
struct Signed {
    query: Query,
    encrypt: String,
}

impl Signed {
    fn new(callback: &Callback) -> anyhow::Result<Self> {
        let encrypt = envelope(callback.body.as_bytes())?.into_owned();
        Ok(Self { query: Query::parse(&callback.query)?, encrypt })
    }
}

/// The cryptography alone, unchecked.
struct Raw {
    token: String,
    key: [u8; 32],
}

impl Raw {
    fn new(app: &App) -> anyhow::Result<Self> {
        let mut key = [0; 32];
        KEY_BASE64.decode_slice(&app.encoding_aes_key, &mut key)?;
        Ok(Self { token: app.token.clone(), key })
    }

    fn open(&self, signed: &Signed) -> anyhow::Result<usize> {
        let mut hash = Sha1::new();
        for part in [&self.token, &signed.query.timestamp, &signed.query.nonce, &signed.encrypt] {
            hash.update(part.as_bytes());
        }
        black_box(hash.finalize());
        let mut frame = STANDARD.decode(&signed.encrypt)?;
        let (iv, _) = self.key.split_first_chunk::<16>().context("a key is longer than its vector")?;
        let (blocks, _) = Array::slice_as_chunks_mut(&mut frame);
        cbc::Decryptor::<Aes256>::new((&self.key).into(), iv.into()).decrypt_blocks(blocks);
        Ok(black_box(&frame).len())
    }
}
