//! The body of an answer: none, at hand, or still arriving.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
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
    /// The same for a body that others may be reading too.
    shared_room: Option<Arc<Room>>,
    /// How much the client has to read until it takes no more than what is read ahead.
    begun: u64,
    /// Why it broke off, until the connection is told.
    broken: Option<io::Error>,
}

enum Content {
    Whole(Bytes),
    Arriving {
        pieces: Pieces,
        /// What came and is handed on piece by piece, as what is at hand is: a client that does not read must not hold it all in
        /// buffers where nobody counts it.
        came: Bytes,
        /// How much is to come, where upstream has said it.
        left: Option<u64>,
        /// The last piece of what was announced. It waits for the end: who has read it all finds it stored.
        last: Option<Bytes>,
    },
}

/// The next piece of what came, or of what comes.
fn poll_piece(pieces: &mut Pieces, came: &mut Bytes, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
    while came.is_empty() {
        match ready!(pieces.as_mut().poll_next(context)) {
            Some(Ok(bytes)) => *came = bytes,
            end => return Poll::Ready(end),
        }
    }
    Poll::Ready(Some(Ok(came.split_to(came.len().min(PIECE)))))
}

impl Content {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let (pieces, came, left, last) = match self {
            Self::Whole(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Self::Whole(bytes) => return Poll::Ready(Some(Ok(bytes.split_to(bytes.len().min(PIECE))))),
            Self::Arriving { pieces, came, left, last } => (pieces, came, left, last),
        };
        loop {
            let piece = ready!(poll_piece(pieces, came, context));
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
        Self::new(Content::Whole(bytes))
    }

    fn new(content: Content) -> Self {
        Self { content, sending: None, counted: None, room: None, shared_room: None, begun: 0, broken: None }
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
        Self::new(Content::Arriving { pieces: Box::pin(pieces), came: Bytes::new(), left, last: None })
    }

    /// Keeps this room taken until so much has been read, and a little of it until it is through.
    pub(crate) fn with_room(mut self, room: Room, begun: u64) -> Self {
        (self.room, self.begun) = (Some(room), begun);
        self
    }

    /// Keeps this room taken until it is through, and until others who read it are.
    pub(crate) fn with_shared_room(mut self, room: Arc<Room>) -> Self {
        self.shared_room = Some(room);
        self
    }

    /// Has its progress watched, and its bytes counted.
    pub(crate) fn watched(mut self, sending: Sending, counted: Counted) -> Self {
        (self.sending, self.counted) = (Some(sending), Some(counted));
        self
    }

    /// Says that it broke off. hyper drops what it has not written yet when it hears so; it is told when all is out, for what
    /// came is the client's.
    fn poll_broken(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(sending) = &mut self.sending {
            ready!(sending.poll_out(context));
            sending.broke(!matches!(self.content, Content::Arriving { left: None, .. }));
        }
        Poll::Ready(self.broken.take().map(Err))
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
        if this.broken.is_some() {
            return this.poll_broken(context);
        }
        let Poll::Ready(piece) = this.content.poll(context) else {
            this.note(None);
            return Poll::Pending;
        };
        match piece.transpose() {
            Ok(piece) => {
                this.note(Some(piece.as_ref().map_or(0, Bytes::len)));
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            Err(why) => {
                this.note(Some(0));
                this.broken = Some(why);
                this.poll_broken(context)
            }
        }
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

#[cfg(all(test, unix))]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;
    use crate::pulse::Pulse;
    use crate::wire::{Socket, Wire};

    /// Else its room would be free before any of it is out.
    #[test]
    fn what_came_in_one_piece_is_handed_on_in_many() {
        let purse = crate::receive::Purse::default();
        let pieces =
            stream::iter([Ok(Bytes::from(vec![b'x'; 4 << 20])), Ok(Bytes::new()), Ok(Bytes::from_static(b"end"))]);
        let content = Content::Arriving { pieces: Box::pin(pieces), came: Bytes::new(), left: None, last: None };
        let mut body = Body::new(content).with_room(purse.take(4 << 20, 4 << 20).unwrap(), 4 << 20);
        let mut came = 0;
        while let Poll::Ready(Some(frame)) =
            http_body::Body::poll_frame(Pin::new(&mut body), &mut Context::from_waker(std::task::Waker::noop()))
        {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE);
            came += piece.len();
            assert_eq!(purse.take(2 << 20, 4 << 20).is_some(), came >= 4 << 20, "{came}");
        }
        assert_eq!(came, (4 << 20) + 3);
    }

    /// Everything is at hand before the connection writes the first byte, and more than the socket takes at once.
    #[tokio::test]
    async fn what_came_before_it_broke_off_is_sent() {
        let pieces = || {
            let all = (0..5).map(|_| Ok(Bytes::from(vec![b'x'; PIECE])));
            stream::iter(all.chain([Err(io::Error::other("it broke off"))]))
        };
        for left in [None, Some(1 << 20)] {
            let (mut client, server) = UnixStream::pair().unwrap();
            let pulse = Pulse::new(8 << 10);
            let service = service_fn(|request: Request<Incoming>| {
                let (handling, _) = pulse.begin(false);
                let pieces = Box::pin(pieces());
                let mut body = Body::new(Content::Arriving { pieces, came: Bytes::new(), left, last: None });
                body.sending = Some(handling.send(request.version() < http::Version::HTTP_11));
                async { Ok::<_, Infallible>(Response::new(body)) }
            });
            let wire = TokioIo::new(Wire::new(Socket::Unix(server), pulse.clone()));
            let serve = async { http1::Builder::new().serve_connection(wire, service).await };
            let read = async {
                client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
                let mut came = Vec::new();
                client.read_to_end(&mut came).await.unwrap();
                came.split(|byte| *byte == b'x').count() - 1
            };
            let (served, came) = tokio::join!(serve, read);
            assert!(served.unwrap_err().is_user(), "it does not end as if it were whole");
            assert_eq!(came, 5 * PIECE);
        }
    }
}
