//! A body: whole, or still arriving.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use tokio::sync::Mutex;

use crate::runtime::wait;
use crate::transport::{Chunks, Fault};

/// What a response holds.
#[derive(Clone)]
pub(crate) enum Content {
    /// All of it.
    Whole(Bytes),
    /// What is left of it. Clones of a response share it: each piece goes to whoever asks first.
    Arriving(Arriving),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Arriving(_) => f.write_str("arriving"),
        }
    }
}

/// A body that is still arriving.
#[derive(Clone)]
pub(crate) struct Arriving(Arc<Mutex<Option<Chunks>>>);

impl Arriving {
    pub(crate) fn new(chunks: Chunks) -> Self {
        Self(Arc::new(Mutex::new(Some(chunks))))
    }

    /// The next piece. Whoever stops waiting for it loses nothing, and others who wait meanwhile get theirs after it.
    pub(crate) async fn next(&self) -> Option<Result<Bytes, Fault>> {
        let mut chunks = self.0.lock().await;
        let piece = chunks.as_mut()?.next().await;
        if !matches!(piece, Some(Ok(_))) {
            *chunks = None;
        }
        piece
    }
}

/// A body for code that is not async. It blocks while the body arrives; inside an async task it fails instead.
#[derive(Debug)]
pub struct Reader {
    content: Content,
    piece: Bytes,
}

impl Reader {
    pub(crate) fn new(content: Content) -> Self {
        match content {
            Content::Whole(piece) => Self { content: Content::Whole(Bytes::new()), piece },
            arriving @ Content::Arriving(_) => Self { content: arriving, piece: Bytes::new() },
        }
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let Content::Arriving(arriving) = &self.content else { return Ok(0) };
            match wait(arriving.next()).map_err(io::Error::other)? {
                None => return Ok(0),
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(fault)) => return Err(io::Error::other(fault)),
            }
        }
        let length = self.piece.len().min(into.len());
        into[..length].copy_from_slice(&self.piece[..length]);
        self.piece.advance(length);
        Ok(length)
    }
}
