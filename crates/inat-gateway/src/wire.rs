//! A client's socket, listened in on: when its bytes come, and what its header sections really said. And spoken on, where hyper
//! as a server has no words: in place of its bare refusals, and between two answers.
//!
//! hyper takes a request with both `Content-Length` and `Transfer-Encoding` by the latter, drops the former, and closes the
//! connection afterwards, as RFC 9112 §6.1 allows. Nothing can be smuggled through that way, because what goes upstream is
//! framed anew. But whoever sends it means no good, so it is refused; that takes a look at what came.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::pulse::Pulse;

/// A connection to a client.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// Which of our addresses the client reached; none on a Unix socket.
    pub(crate) fn local_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok().map(|address| address.ip().to_canonical()),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

/// A socket whose bytes are heard.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: Socket,
    pulse: Arc<Pulse>,
    /// What is written in place of what was to be written, as far as it is not.
    instead: Bytes,
    /// What is written between two answers, as far as it is not.
    between: Bytes,
}

macro_rules! each {
    ($self:ident, $stream:ident => $body:expr) => {
        match &mut $self.get_mut().socket {
            Socket::Tcp($stream) => $body,
            #[cfg(unix)]
            Socket::Unix($stream) => $body,
        }
    };
}

impl Wire {
    pub(crate) fn new(socket: Socket, pulse: Arc<Pulse>) -> Self {
        Self { socket, pulse, instead: Bytes::new(), between: Bytes::new() }
    }

    /// Whether something is to be written in place of this.
    fn explains(&mut self, buf: &[u8]) -> bool {
        if self.instead.is_empty()
            && let Some(instead) = self.pulse.explains(buf)
        {
            self.instead = instead;
        }
        !self.instead.is_empty()
    }

    /// Writes it. Not before all of it is out are the bytes it stands for (`length`) said to be.
    fn poll_explain(mut self: Pin<&mut Self>, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while !self.instead.is_empty() {
            let text = self.instead.clone();
            let written = ready!(self.as_mut().poll_some(cx, &text))?;
            let _ = self.instead.split_to(written);
        }
        Poll::Ready(Ok(length))
    }

    /// Writes what is to be said before the next answer, if all before it is out. What was begun is ended first in any case.
    fn poll_between(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.between.is_empty() && self.pulse.is_clear() {
            self.between = self.pulse.words.take();
        }
        if self.between.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.pulse.note_write();
        while !self.between.is_empty() {
            let text = self.between.clone();
            let written = ready!(self.as_mut().poll_some(cx, &text))?;
            let _ = self.between.split_to(written);
            self.pulse.note_taken(written);
        }
        self.pulse.note_all_taken();
        Poll::Ready(Ok(()))
    }

    fn poll_some(self: Pin<&mut Self>, cx: &mut Context<'_>, text: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(each!(self, stream => Pin::new(stream).poll_write(cx, text)))?;
        Poll::Ready(if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) })
    }
}

impl Drop for Wire {
    /// An HTTP/1.0 client takes the end of the connection for the end of the body; only a reset tells it otherwise.
    fn drop(&mut self) {
        if self.pulse.broken.load(Ordering::Relaxed)
            && let Socket::Tcp(stream) = &self.socket
        {
            let _ = stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let this = self.as_mut();
        ready!(each!(this, stream => Pin::new(stream).poll_read(cx, buf)))?;
        if buf.filled().len() > before {
            self.pulse.hear(&buf.filled()[before..]);
        } else if buf.remaining() > 0 && self.pulse.falls_silent() {
            // It is told when it reads again, which it does when the answer is out.
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_between(cx))?;
        self.pulse.note_write();
        if self.explains(buf) {
            return self.poll_explain(cx, buf.len());
        }
        let pulse = self.pulse.clone();
        note(&pulse, each!(self, stream => Pin::new(stream).poll_write(cx, buf)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_between(cx))?;
        self.pulse.note_write();
        if let [buf] = bufs
            && self.explains(buf)
        {
            return self.poll_explain(cx, buf.len());
        }
        let pulse = self.pulse.clone();
        note(&pulse, each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Called when everything was written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.between.is_empty() {
            self.pulse.note_flush();
        }
        ready!(self.as_mut().poll_between(cx))?;
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pulse.broken.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

fn note(pulse: &Pulse, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    if let Poll::Ready(Ok(bytes)) = &written {
        pulse.note_taken(*bytes);
    }
    written
}

/// Whether what was heard begins with a request of this method.
pub(crate) fn is_of(method: &Method, heard: &[u8]) -> bool {
    begun(heard).strip_prefix(method.as_str().as_bytes()).is_some_and(|rest| rest.starts_with(b" "))
}

/// Empty lines may come before a request (RFC 9112 §2.2).
fn begun(heard: &[u8]) -> &[u8] {
    let start = heard.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(heard.len());
    &heard[start..]
}

/// Whether the target in a request line has a fragment.
pub(crate) fn has_fragment(heard: &[u8]) -> bool {
    let line = begun(heard).split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.split(|byte| *byte == b' ').nth(1).is_some_and(|target| target.contains(&b'#'))
}

/// Whether a header section says in two ways where its body ends.
pub(crate) fn says_two_lengths(heard: &[u8]) -> bool {
    let (mut length, mut coding) = (false, false);
    for line in begun(heard).split(|byte| *byte == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        length |= name.eq_ignore_ascii_case(b"content-length");
        coding |= name.eq_ignore_ascii_case(b"transfer-encoding");
    }
    length && coding
}

#[cfg(test)]
mod tests {
    use super::{has_fragment, is_of, says_two_lengths};
    use http::Method;

    #[test]
    fn a_fragment_is_one_of_the_target() {
        assert!(has_fragment(b"\r\nGET /a?b#c HTTP/1.1\r\n") && has_fragment(b"GET /#"));
        assert!(!has_fragment(b"GE#T /a HTTP/1.1\r\nX: #\r\n") && !has_fragment(b"GET\n #") && !has_fragment(b""));
    }

    #[test]
    fn two_lengths_are_seen_in_the_header_section_only() {
        let both = b"POST / HTTP/1.1\r\nHost: x\r\nContent-LENGTH: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        let reversed = b"POST / HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length: 3\n\n";
        let in_body = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nContent-Length: 3\r\n";
        let late = [b"\r\n\r\n", &both[..]].concat();
        assert!(says_two_lengths(both) && says_two_lengths(reversed) && says_two_lengths(&late));
        assert!(is_of(&Method::POST, both) && is_of(&Method::POST, &late));
        assert!(!is_of(&Method::GET, both) && !is_of(&Method::POST, b"POSTS / x") && !is_of(&Method::POST, b""));
        assert!(!says_two_lengths(in_body) && !says_two_lengths(b"") && !says_two_lengths(b"GET / HTTP/1.1\r\n\r\n"));
    }
}
