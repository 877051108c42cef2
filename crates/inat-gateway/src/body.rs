//! The body of an answer: none, at hand, or still arriving.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http_body::{Frame, SizeHint};
use inat_session::Response;

use crate::answer::AHEAD;
use crate::metrics::Counted;
use crate::pulse::Sending;
use crate::receive::Room;

/// Bodies at hand are given to the connection in pieces of this size, so that progress can be seen and a slow client holds
/// no more than a few of them in buffers.
const PIECE: usize = 64 << 10;

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The body of an answer.
pub(crate) struct Body {
    content: Content,
    /// Kept until the body is through.
    sending: Option<Sending>,
    counted: Option<Counted>,
    /// What it takes until then, where that is worth counting.
    room: Option<Room>,
    /// How much the client has to read until it takes no more than what is read ahead.
    begun: u64,
}

enum Content {
    Whole(Bytes),
    Arriving {
        pieces: Pieces,
        /// How much is to come, where upstream has said it.
        left: Option<u64>,
        /// The last piece of what was announced. It waits for the end: who has read it all finds it stored.
        last: Option<Bytes>,
    },
}

impl Content {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let (pieces, left, last) = match self {
            Self::Whole(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Self::Whole(bytes) => return Poll::Ready(Some(Ok(bytes.split_to(bytes.len().min(PIECE))))),
            Self::Arriving { pieces, left, last } => (pieces, left, last),
        };
        loop {
            let piece = ready!(pieces.as_mut().poll_next(context));
            return Poll::Ready(match (piece, left.as_mut()) {
                (Some(Ok(bytes)), Some(left)) => match left.checked_sub(bytes.len() as u64) {
                    Some(0) if last.is_none() && !bytes.is_empty() => {
                        (*left, *last) = (0, Some(bytes));
                        continue;
                    }
                    Some(rest) => {
                        *left = rest;
                        Some(Ok(bytes))
                    }
                    None => Some(Err(io::Error::other("more than was announced"))),
                },
                // The connection must not be taken for one that ended as it should.
                (None, Some(left)) if *left > 0 => Some(Err(io::Error::other("less than was announced"))),
                // All that was announced is here, even if the session was ended before it was stored.
                (Some(Err(_)) | None, _) if last.is_some() => {
                    let last = last.take();
                    *self = Self::Whole(Bytes::new());
                    last.map(Ok)
                }
                (piece, _) => piece,
            });
        }
    }
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { content: Content::Whole(bytes), sending: None, counted: None, room: None, begun: 0 }
    }

    /// What upstream is still sending, of which it said that it is this long.
    pub(crate) fn arriving(response: Response, left: Option<u64>) -> Self {
        let pieces = stream::unfold(Some(response), |response| async move {
            let mut response = response?;
            match response.chunk().await {
                Ok(None) => None,
                Ok(Some(bytes)) => Some((Ok(bytes), Some(response))),
                Err(error) => Some((Err(io::Error::other(error.to_string())), None)),
            }
        });
        let content = Content::Arriving { pieces: Box::pin(pieces), left, last: None };
        Self { content, sending: None, counted: None, room: None, begun: 0 }
    }

    /// Keeps this room taken until so much has been read, and a little of it until it is through.
    pub(crate) fn with_room(mut self, room: Room, begun: u64) -> Self {
        (self.room, self.begun) = (Some(room), begun);
        self
    }

    /// Has its progress watched, and its bytes counted.
    pub(crate) fn watched(mut self, sending: Sending, counted: Counted) -> Self {
        (self.sending, self.counted) = (Some(sending), Some(counted));
        self
    }

    fn note(&mut self, bytes: Option<usize>) {
        if let Some(sending) = &mut self.sending {
            sending.moved(bytes);
        }
        let Some(bytes) = bytes else { return };
        if let Some(counted) = &mut self.counted {
            counted.sent(bytes);
        }
        if self.begun > 0 {
            self.begun = self.begun.saturating_sub(bytes as u64);
            if let Some(room) = self.room.as_mut().filter(|_| self.begun == 0) {
                room.shrink(AHEAD);
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let Poll::Ready(piece) = this.content.poll(context) else {
            this.note(None);
            return Poll::Pending;
        };
        match &piece {
            Some(Ok(bytes)) => this.note(Some(bytes.len())),
            Some(Err(_)) => {
                let has_length = !matches!(this.content, Content::Arriving { left: None, .. });
                if let Some(sending) = &this.sending {
                    sending.broke(has_length);
                }
            }
            None => this.note(Some(0)),
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Arriving { left: Some(left), .. } => SizeHint::with_exact(*left),
            Content::Arriving { left: None, .. } => SizeHint::default(),
        }
    }
}
