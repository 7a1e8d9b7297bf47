//! Opens the messages of a page: the short keys here, on all cores, and the messages in the reader.
//!
//! What does not open has a reason and stays sealed. A message on which the library crashes is found by halving, and
//! stays sealed as well, so that none of them holds the others up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread,
};

use super::{
    keys::{Key, Keyring},
    meaning::meaning,
    page::Sealed,
    protocol::Item,
    readers::{Archive, Corp},
    trouble::Trouble,
};

/// How many messages the reader decrypts in one call.
const BATCH_MAX: usize = 128;

/// How many bytes of sealed messages one call takes, unless a single one is larger.
const BATCH_BYTES_MAX: usize = 2 << 20;

/// With more crashes in one page the library itself is broken, and the page is read again later.
const CRASHES_MAX: usize = 20;

/// By so many messages of a version a key that was never in use is tried: a single one may be damaged.
const TRIALS_MAX: usize = 3;

/// The library cannot use the short key. Such a message is tried once more.
const SHORT_KEY_REFUSED: i32 = 10_008;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its text.
    Opened(String),
    /// It stays sealed, and why.
    Closed(String),
}

/// The outcome of a page.
#[derive(Debug, Default)]
pub struct Opening {
    /// The messages, in their order.
    pub messages: Vec<(Sealed, Outcome)>,
    /// The keys that were seen in use for the first time, by the versions that WeCom gave them.
    pub learned: BTreeMap<i32, [u8; 32]>,
}

/// Opens messages with a corp's keys.
pub async fn open(archive: &Archive, corp: &Corp, keys: &Keyring, messages: Vec<Sealed>) -> Result<Opening, Trouble> {
    let mut work = Work { archive, corp, crashes: 0 };
    let mut opening = Opening::default();
    let mut fitting = BTreeMap::new();
    for version in messages.iter().map(|it| it.version).collect::<BTreeSet<_>>() {
        if let Some(key) = keys.of_version(version) {
            fitting.insert(version, key.clone());
            continue;
        }
        let of_version: Vec<_> = messages.iter().filter(|it| it.version == version).take(TRIALS_MAX).collect();
        if let Some(key) = work.find(keys, &of_version).await? {
            opening.learned.insert(version, *key.public_hash());
            fitting.insert(version, key.clone());
        }
    }
    let fitting = Arc::new(fitting);
    let mut batch = Batch::default();
    for (message, short) in short_keys(messages, &fitting).await? {
        match short {
            Some(short) => batch.push(message, short),
            None => opening.messages.push((message.clone(), Outcome::Closed(no_short_key(&message, &fitting)))),
        }
        if batch.is_full() {
            opening.messages.extend(work.open_batch(std::mem::take(&mut batch)).await?);
        }
    }
    opening.messages.extend(work.open_batch(batch).await?);
    opening.messages.sort_by_key(|(message, _)| message.seq);
    Ok(opening)
}

/// Messages that are decrypted in one call.
#[derive(Default)]
struct Batch {
    messages: Vec<Sealed>,
    items: Vec<Item>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, message: Sealed, short: String) {
        self.bytes += message.message.len();
        self.items.push(Item { key: short, msg: message.message.clone() });
        self.messages.push(message);
    }

    fn is_full(&self) -> bool {
        self.items.len() >= BATCH_MAX || self.bytes >= BATCH_BYTES_MAX
    }
}

/// A page in progress.
struct Work<'a> {
    archive: &'a Archive,
    corp: &'a Corp,
    /// How often the reader crashed or hung on it.
    crashes: usize,
}

impl Work<'_> {
    /// The key, among those that were never seen in use, that opens one of these messages.
    async fn find<'k>(&mut self, keys: &'k Keyring, messages: &[&Sealed]) -> Result<Option<&'k Key>, Trouble> {
        for key in keys.unused() {
            for message in messages {
                let fitting = Arc::new(BTreeMap::from([(message.version, key.clone())]));
                let Some((message, Some(short))) = short_keys(vec![(*message).clone()], &fitting).await?.pop() else {
                    continue;
                };
                let items = [Item { key: short, msg: message.message }];
                if matches!(self.decrypt(&items).await?.as_slice(), [Outcome::Opened(_)]) {
                    return Ok(Some(key));
                }
            }
        }
        Ok(None)
    }

    async fn open_batch(&mut self, batch: Batch) -> Result<Vec<(Sealed, Outcome)>, Trouble> {
        let outcomes = self.decrypt(&batch.items).await?;
        Ok(batch.messages.into_iter().zip(outcomes).collect())
    }

    /// Decrypts messages. If the reader crashes or hangs, they are halved until the one that does it is alone.
    async fn decrypt(&mut self, items: &[Item]) -> Result<Vec<Outcome>, Trouble> {
        let mut outcomes = Vec::with_capacity(items.len());
        let mut parts = vec![items];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.archive.decrypt(self.corp, part).await {
                Ok(answers) => {
                    for (item, answer) in part.iter().zip(answers) {
                        outcomes.push(self.outcome(item, answer).await?);
                    }
                }
                Err(Trouble::Reader(_)) if self.crashes < CRASHES_MAX && part.len() > 1 => {
                    self.crashes += 1;
                    let (first, second) = part.split_at(part.len() / 2);
                    // A stack hands out the last one first.
                    parts.extend([second, first]);
                }
                Err(Trouble::Reader(why)) if self.crashes < CRASHES_MAX => {
                    self.crashes += 1;
                    outcomes.push(Outcome::Closed(why));
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(outcomes)
    }

    async fn outcome(&self, item: &Item, answer: Result<String, i32>) -> Result<Outcome, Trouble> {
        let answer = match answer {
            Err(SHORT_KEY_REFUSED) => {
                let again = self.archive.decrypt(self.corp, std::slice::from_ref(item)).await?;
                again.into_iter().next().unwrap_or(Err(SHORT_KEY_REFUSED))
            }
            answer => answer,
        };
        Ok(match answer {
            Ok(text) => Outcome::Opened(text),
            Err(code) => Outcome::Closed(meaning(code).to_string()),
        })
    }
}

/// Decrypts the short keys, on all cores: each takes some milliseconds.
async fn short_keys(
    messages: Vec<Sealed>,
    keys: &Arc<BTreeMap<i32, Key>>,
) -> Result<Vec<(Sealed, Option<String>)>, Trouble> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = messages.len().div_ceil(cores).max(1);
    let mut rest = messages.into_iter();
    let mut running = Vec::new();
    loop {
        let part: Vec<_> = rest.by_ref().take(share).collect();
        if part.is_empty() {
            break;
        }
        let keys = keys.clone();
        running.push(tokio::task::spawn_blocking(move || {
            let short = |it: &Sealed| keys.get(&it.version)?.short_key(&it.random_key);
            part.into_iter().map(|it| (short(&it), it)).map(|(short, it)| (it, short)).collect::<Vec<_>>()
        }));
    }
    let mut done = Vec::new();
    for part in running {
        done.extend(part.await.map_err(|error| Trouble::Odd(format!("decrypting short keys failed: {error}")))?);
    }
    Ok(done)
}

fn no_short_key(message: &Sealed, keys: &BTreeMap<i32, Key>) -> String {
    let version = message.version;
    if keys.contains_key(&version) {
        format!("its short key does not open with the key of version {version} 该版本的私钥解不开")
    } else {
        format!("there is no key of version {version} 没有版本 {version} 的私钥")
    }
}
