//! The spool of a running process: a thread that writes, and what the rest of the program asks of it.
//!
//! The thread does all blocking work of writing, so that a slow disk stops no other task. Its queue is short: callers
//! wait for a place in a queue of their own, and give up by their own limits.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use super::{
    folder::{self, Folder},
    reader::{Found, ReadError, Reader},
    segment::Record,
    state::State,
    writer::{self, SpoolError, Writer, remains},
};
use crate::vault::Vault;

/// How long the disk may take to store a group. With the committer's patience before it, this stays within the time in
/// which a callback must be answered.
const APPEND_LIMIT: Duration = Duration::from_secs(2);

/// How many jobs wait for the thread. The committer has one at a time, and the drainer another.
const JOBS_MAX: usize = 4;

/// Where the spool is, and how large it may become.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that processes share; each uses a folder in it.
    pub location: PathBuf,
    /// How many bytes of segments may wait in the folder of this process.
    pub bytes_max: u64,
}

/// The spool of this process. Cheap to clone; the folder is released when the last clone is dropped and the thread has
/// ended.
#[derive(Clone)]
pub struct Spool {
    jobs: SyncSender<Job>,
    held: Arc<Held>,
    state: Arc<State>,
}

/// What this process holds.
struct Held {
    location: PathBuf,
    vault: Arc<Vault>,
    own: Arc<Folder>,
    /// Folders whose process is gone, until they are empty.
    adopted: Mutex<Vec<Folder>>,
}

/// What the thread does, and how it answers.
enum Job {
    Append(Vec<Record>, Answer),
    /// What is appended from now on goes into a new segment.
    Close(Answer),
    Tend(Answer),
}

type Answer = oneshot::Sender<Result<(), SpoolError>>;

impl Spool {
    /// Takes a folder, and notes what earlier processes left in it. It blocks for a moment.
    pub fn open(settings: &Settings, vault: Arc<Vault>) -> io::Result<Self> {
        folder::make_location(&settings.location)?;
        let own = Arc::new(Folder::first_free(&settings.location)?);
        let state = Arc::new(State::new(own.path()));
        for path in remains(&own) {
            let _ = std::fs::remove_file(path);
        }
        note_waiting(&own, &state, &vault)?;
        let writer = Writer::new(own.clone(), vault.clone(), state.clone(), settings.bytes_max)?;
        let (jobs, received) = sync_channel(JOBS_MAX);
        let noted = state.clone();
        thread::Builder::new().name("spool".to_owned()).spawn(move || work(writer, &received, &noted))?;
        let held = Held { location: settings.location.clone(), vault, own, adopted: Mutex::default() };
        Ok(Self { jobs, held: Arc::new(held), state })
    }

    /// Returns once these callbacks are on disk.
    pub async fn append(&self, records: Vec<Record>) -> Result<(), SpoolError> {
        self.ask(|answer| Job::Append(records, answer)).await
    }

    /// Ends the segment that is being written, so that it can be read.
    pub async fn close_segment(&self) -> Result<(), SpoolError> {
        self.ask(Job::Close).await
    }

    /// Makes a spare segment if there is none.
    pub async fn tend(&self) -> Result<(), SpoolError> {
        self.ask(Job::Tend).await
    }

    /// Takes the folders whose process is gone. It blocks for a moment.
    pub fn adopt(&self) -> io::Result<()> {
        let mut adopted = self.held.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        adopted.retain(|it| self.state.any_in(it.path()));
        for path in folder::folders(&self.held.location)? {
            let ours = path == self.held.own.path() || adopted.iter().any(|it| it.path() == path);
            // A folder without a segment is left to whoever starts next.
            if ours || folder::is_empty(&path)? {
                continue;
            }
            let Some(orphan) = Folder::take(&path)? else { continue };
            for path in remains(&orphan) {
                let _ = std::fs::remove_file(path);
            }
            note_waiting(&orphan, &self.state, &self.held.vault)?;
            tracing::info!(folder = %path.display(), "taking over the spool of a process that is gone");
            adopted.push(orphan);
        }
        Ok(())
    }

    /// The segments that can be read, oldest first: all but the one that is being written.
    pub fn closed(&self) -> Vec<PathBuf> {
        self.state.closed()
    }

    /// Whether there is a segment that further callbacks go to, and that is not among the closed ones.
    pub fn is_writing(&self) -> bool {
        self.state.is_writing()
    }

    /// Opens a segment. It blocks.
    pub fn read(&self, segment: &Path) -> Result<Reader, ReadError> {
        Reader::open(segment, &self.held.vault)
    }

    /// Keeps records of a segment that the database refused in a file beside it, which is not read again. Done again, it
    /// replaces the file. It blocks.
    pub fn refuse(&self, segment: &Path, records: &[Record]) -> Result<(), SpoolError> {
        writer::refuse(&self.held.vault, &folder::refused_of(segment), records)
    }

    /// Deletes a segment whose records are all in the inbox; one with damage is kept under another name. It blocks.
    pub fn finish(&self, segment: &Path, found: Found) -> io::Result<()> {
        if found.damaged > 0 {
            folder::set_aside(segment)?
        } else {
            std::fs::remove_file(segment)?
        }
        self.state.remove(segment);
        Ok(())
    }

    /// Sets a segment aside that has no readable header, or forgets one that somebody deleted. It blocks.
    pub fn give_up(&self, segment: &Path) -> io::Result<()> {
        match folder::set_aside(segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
        self.state.remove(segment);
        Ok(())
    }

    /// Why the last callbacks were not taken, or the next ones would not be; none if all is well.
    pub fn problem(&self) -> Option<String> {
        self.state.problem()
    }

    /// The size of the segments that wait.
    pub fn bytes(&self) -> u64 {
        self.state.bytes()
    }

    /// When the oldest callback that waits arrived, if any waits and that is known.
    pub fn oldest(&self) -> Option<DateTime<Utc>> {
        self.state.oldest()
    }

    async fn ask(&self, job: impl FnOnce(Answer) -> Job) -> Result<(), SpoolError> {
        let (answer, done) = oneshot::channel();
        let done = match self.jobs.try_send(job(answer)) {
            Ok(()) => tokio::time::timeout(APPEND_LIMIT, done).await,
            // It is busy with a disk that does not answer.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Err(self.silent()),
        };
        match done {
            Ok(Ok(done)) => done,
            Ok(Err(_)) | Err(_) => Err(self.silent()),
        }
    }

    fn silent(&self) -> SpoolError {
        self.state.note(Some(&SpoolError::Silent));
        SpoolError::Silent
    }
}

/// Notes the segments of a folder that was just taken.
fn note_waiting(folder: &Folder, state: &State, vault: &Vault) -> io::Result<()> {
    for segment in folder.segments()? {
        let bytes = std::fs::metadata(&segment.path)?.len();
        let first = Reader::open(&segment.path, vault).ok().and_then(|mut it| it.next_record());
        state.add(segment.path, bytes, first.map(|it| it.received_at));
    }
    Ok(())
}

/// Does the jobs in order, until nobody can send one any more.
fn work(mut writer: Writer, jobs: &Receiver<Job>, state: &State) {
    while let Ok(job) = jobs.recv() {
        let (done, answer) = match job {
            Job::Append(records, answer) => (noted(state, writer.append(&records)), answer),
            Job::Close(answer) => {
                writer.close();
                (Ok(()), answer)
            }
            Job::Tend(answer) => (writer.tend(), answer),
        };
        // Nobody waits any longer: what was written is only stored once more.
        let _ = answer.send(done);
    }
}

/// Notes whether the spool takes callbacks.
fn noted(state: &State, done: Result<(), SpoolError>) -> Result<(), SpoolError> {
    state.note(done.as_ref().err());
    done
}
