//! Writing one reply, whole or broken in the way asked for.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use crate::{
    Answer,
    faults::{Cut, Manner, Wire},
};

/// A drip longer than this is cut off.
const LONGEST_DRIP: Duration = Duration::from_secs(600);
const CHUNK: usize = 16 * 1024;

/// What the request decides about the form of its reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) head_only: bool,
    pub(crate) http10: bool,
    pub(crate) keep_alive: bool,
}

/// Whether the connection can carry another request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum After {
    Keep,
    Close,
    Reset,
}

pub(crate) async fn reply(stream: &mut TcpStream, wire: Wire, form: Form) -> io::Result<After> {
    match wire {
        Wire::Close => Ok(After::Close),
        Wire::Reset => Ok(After::Reset),
        Wire::Raw(bytes) => {
            stream.write_all(&bytes).await?;
            Ok(After::Close)
        }
        Wire::Reply(answer, manner) => answer_in(stream, answer, &manner, form).await,
    }
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length,
    Chunked,
    /// The answer lies about its length, or HTTP/1.0 cannot tell it: the end of the connection is the end of the body.
    Close,
}

async fn answer_in(stream: &mut TcpStream, mut answer: Answer, manner: &Manner, form: Form) -> io::Result<After> {
    let framing = frame(&mut answer, manner, form);
    let broken = manner.cut.is_some();
    let keep = form.keep_alive && framing != Framing::Close && !broken;
    sleep(manner.first_byte_after).await;
    let mut out = head(&answer, keep);
    let bodiless = form.head_only || framing == Framing::None;
    let body = match () {
        () if bodiless => Bytes::new(),
        () if broken => answer.body.slice(..answer.body.len() / 2),
        () => answer.body,
    };
    if manner.per_byte.is_zero() && framing != Framing::Chunked && body.len() <= CHUNK {
        // One write for head and body: one packet on the usual small reply.
        out.extend_from_slice(&body);
        stream.write_all(&out).await?;
    } else {
        stream.write_all(&out).await?;
        send(stream, &body, framing, manner.per_byte).await?;
    }
    if framing == Framing::Chunked && !bodiless && !broken {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    stream.flush().await?;
    Ok(match manner.cut {
        Some(Cut::Reset) => After::Reset,
        _ if keep => After::Keep,
        _ => After::Close,
    })
}

fn frame(answer: &mut Answer, manner: &Manner, form: Form) -> Framing {
    // RFC 9110 §6.4.1, §8.6: these have no body and no length.
    if answer.status < 200 || answer.status == 204 || answer.status == 304 {
        return Framing::None;
    }
    if manner.cut == Some(Cut::Chunked) && !form.http10 {
        answer.remove("content-length");
        answer.set("Transfer-Encoding", "chunked");
        return Framing::Chunked;
    }
    if answer.get("transfer-encoding").is_some() {
        if form.http10 {
            answer.remove("transfer-encoding");
            return Framing::Close;
        }
        return Framing::Chunked;
    }
    match answer.get("content-length") {
        None => {
            answer.set("Content-Length", answer.body.len().to_string());
            Framing::Length
        }
        Some(_) if form.head_only => Framing::Length,
        Some(given) if given.parse() == Ok(answer.body.len()) => Framing::Length,
        Some(_) => Framing::Close,
    }
}

fn head(answer: &Answer, keep: bool) -> BytesMut {
    let mut out = BytesMut::with_capacity(512 + answer.body.len().min(CHUNK));
    out.extend_from_slice(format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status)).as_bytes());
    for (name, value) in &answer.headers {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if !keep && answer.get("connection").is_none() {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

async fn send(stream: &mut TcpStream, body: &Bytes, framing: Framing, pause: Duration) -> io::Result<()> {
    let size = if pause.is_zero() { CHUNK } else { 1 };
    let mut spent = Duration::ZERO;
    for piece in body.chunks(size) {
        if !pause.is_zero() {
            spent += pause;
            if spent > LONGEST_DRIP {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(pause).await;
        }
        if framing == Framing::Chunked {
            let mut chunk = BytesMut::with_capacity(piece.len() + 16);
            chunk.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            chunk.extend_from_slice(piece);
            chunk.extend_from_slice(b"\r\n");
            stream.write_all(&chunk).await?;
        } else {
            stream.write_all(piece).await?;
        }
    }
    Ok(())
}

pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        416 => "Range Not Satisfiable",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
