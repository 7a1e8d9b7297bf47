//! One reader: a child process that answers one request at a time. When it is dropped, it is killed.
//!
//! What is asked and what an answer means is not known here.

use std::{io, path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use zeroize::Zeroizing;

use super::{
    protocol::{BYTES, JSON, PAYLOAD_BYTES_MAX, Request, Said},
    trouble::Trouble,
};
use crate::embedded::child::command;

/// A reader.
pub(super) struct Reader {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Reader {
    /// Starts the program. Its environment holds nothing of ours, and nothing secret is in its arguments.
    pub(super) fn start(program: &Path) -> Result<Self, Trouble> {
        let failed = |error: io::Error| Trouble::Reader(format!("{} does not start: {error}", program.display()));
        // What the library prints may quote messages.
        let mut command = Command::from(command(program));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// The process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks, and waits for the answer up to `limit`. After an error the reader cannot be used any more.
    pub(super) async fn ask(&mut self, request: &Request<'_>, limit: Duration) -> Result<(Said, Vec<u8>), Trouble> {
        // It may hold the secret, or short keys.
        let payload = Zeroizing::new(serde_json::to_vec(request).map_err(|error| Trouble::Odd(error.to_string()))?);
        match tokio::time::timeout(limit, self.exchange(&payload, request.has_bytes())).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Trouble::Reader(self.ended(&error).await)),
            Err(_) => {
                let _ = self.child.kill().await;
                Err(Trouble::Reader(format!("the reader gave no answer within {} s, and was killed", limit.as_secs())))
            }
        }
    }

    async fn exchange(&mut self, payload: &[u8], has_bytes: bool) -> io::Result<(Said, Vec<u8>)> {
        let length = u32::try_from(payload.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let [a, b, c, d] = length.to_le_bytes();
        self.input.write_all(&[a, b, c, d, JSON]).await?;
        self.input.write_all(payload).await?;
        self.input.flush().await?;
        let said = self.receive(JSON).await?;
        let said: Said = serde_json::from_slice(&said)?;
        // Trouble ends an answer: no bytes follow.
        let bytes = if has_bytes && said.trouble.is_none() { self.receive(BYTES).await? } else { Vec::new() };
        Ok((said, bytes))
    }

    async fn receive(&mut self, wanted: u8) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.output.read_u32_le().await?).unwrap_or(usize::MAX);
        let kind = self.output.read_u8().await?;
        if kind != wanted || length > PAYLOAD_BYTES_MAX {
            let what = format!("a frame of kind {kind} with {length} bytes came");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let mut payload = vec![0; length];
        self.output.read_exact(&mut payload).await?;
        Ok(payload)
    }

    /// Why it does not answer: how it ended, if it did.
    async fn ended(&mut self, error: &io::Error) -> String {
        let pipes_closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::BrokenPipe].contains(&error.kind());
        if pipes_closed && let Ok(Ok(status)) = tokio::time::timeout(ENDING_LIMIT, self.child.wait()).await {
            return format!("the reader ended: {status}");
        }
        let _ = self.child.kill().await;
        format!("the reader does not answer as it should: {error}")
    }
}

/// How long the end of a process whose pipes are closed may take.
const ENDING_LIMIT: Duration = Duration::from_secs(2);
