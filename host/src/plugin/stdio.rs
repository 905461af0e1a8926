//! What a guest prints: lines in its log.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::journal::Journal;
use super::limits::LOG_LINE_BYTES;

/// What a guest may print before it asks again, in bytes.
const PRINT_PERMIT: usize = 64 << 10;

/// Stdout or stderr of a guest.
pub(super) struct Printer {
    pub(super) journal: Arc<Journal>,
    pub(super) stderr: bool,
}

impl IsTerminal for Printer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printer {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Printed { journal: Arc::clone(&self.journal), stderr: self.stderr, partial: Vec::new() })
    }
}

struct Printed {
    journal: Arc<Journal>,
    stderr: bool,
    /// A line that has not ended.
    partial: Vec<u8>,
}

impl Printed {
    fn end_line(&mut self) {
        self.journal.print(&String::from_utf8_lossy(&self.partial), self.stderr);
        self.partial.clear();
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let room = LOG_LINE_BYTES.saturating_sub(self.partial.len());
            self.partial.extend(part.iter().filter(|b| **b != b'\n').take(room));
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PRINT_PERMIT)
    }
}
