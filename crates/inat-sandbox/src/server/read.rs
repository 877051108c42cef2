//! Reading one request, with every size bounded.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const HEAD: usize = 64 * 1024;
const HEADERS: usize = 128;
/// Above the 20 MB file limit of the origin, which answers in its own words.
const BODY: usize = 32 * 1024 * 1024;
const CHUNK_LINE: usize = 4 * 1024;

/// A request as it came over the connection.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) http10: bool,
    pub(crate) keep_alive: bool,
}

/// Why there is no request.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The client closed between requests.
    End,
    /// The request is malformed or too large: this status, then the connection ends.
    Refuse(u16),
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(crate) async fn request(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<Received, Trouble> {
    let mut received = head(stream, buffer).await?;
    let lengths = lengths(&received.headers)?;
    if lengths == Length::Fixed(0) {
        return Ok(received);
    }
    if received.headers.iter().any(|(name, value)| is(name, "expect") && is(value, "100-continue")) {
        if matches!(lengths, Length::Fixed(length) if length > BODY) {
            return Err(Trouble::Refuse(413));
        }
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    received.body = match lengths {
        Length::Fixed(length) => fixed(stream, buffer, length).await?,
        Length::Chunked => chunked(stream, buffer).await?,
    };
    Ok(received)
}

async fn head(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<Received, Trouble> {
    loop {
        if let Some(received) = parse(buffer)? {
            return Ok(received);
        }
        if buffer.len() > HEAD {
            return Err(Trouble::Refuse(431));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(if buffer.is_empty() { Trouble::End } else { Trouble::Refuse(400) });
        }
    }
}

fn parse(buffer: &mut BytesMut) -> Result<Option<Received>, Trouble> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(buffer) {
        Ok(httparse::Status::Complete(length)) if length > HEAD => return Err(Trouble::Refuse(431)),
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Trouble::Refuse(431)),
        Err(_) => return Err(Trouble::Refuse(400)),
    };
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let http10 = request.version == Some(0);
    let connection = |token: &str| {
        headers
            .iter()
            .filter(|(name, _)| is(name, "connection"))
            .any(|(_, value)| value.split(',').any(|item| is(item, token)))
    };
    let received = Received {
        method: request.method.unwrap_or_default().to_owned(),
        target: origin_form(request.path.unwrap_or_default()),
        body: Bytes::new(),
        http10,
        keep_alive: if http10 { connection("keep-alive") } else { !connection("close") },
        headers,
    };
    buffer.advance(length);
    Ok(Some(received))
}

/// RFC 9112 §3.2.2: a server accepts the absolute form that clients send to proxies.
fn origin_form(target: &str) -> String {
    let rest = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
    match rest {
        Some(rest) => rest.find('/').map_or_else(|| "/".to_owned(), |slash| rest[slash..].to_owned()),
        None => target.to_owned(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Fixed(usize),
    Chunked,
}

fn lengths(headers: &[(String, String)]) -> Result<Length, Trouble> {
    let mut length = None;
    let mut chunked = false;
    for (name, value) in headers {
        if is(name, "content-length") {
            let value = value.trim();
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let value = value.parse::<usize>().ok().filter(|_| digits).ok_or(Trouble::Refuse(400))?;
            if length.is_some_and(|earlier| earlier != value) {
                return Err(Trouble::Refuse(400));
            }
            length = Some(value);
        } else if is(name, "transfer-encoding") {
            if chunked || !is(value, "chunked") {
                return Err(Trouble::Refuse(501));
            }
            chunked = true;
        }
    }
    match (length, chunked) {
        // RFC 9112 §6.1: both together is how requests are smuggled.
        (Some(_), true) => Err(Trouble::Refuse(400)),
        (None, true) => Ok(Length::Chunked),
        (length, false) => Ok(Length::Fixed(length.unwrap_or(0))),
    }
}

async fn fixed(stream: &mut TcpStream, buffer: &mut BytesMut, length: usize) -> Result<Bytes, Trouble> {
    if length > BODY {
        return Err(Trouble::Refuse(413));
    }
    fill(stream, buffer, length).await?;
    Ok(buffer.split_to(length).freeze())
}

async fn chunked(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<Bytes, Trouble> {
    let mut body = BytesMut::new();
    loop {
        let (line, size) = loop {
            match httparse::parse_chunk_size(buffer) {
                Ok(httparse::Status::Complete(found)) => break found,
                Ok(httparse::Status::Partial) if buffer.len() <= CHUNK_LINE => {
                    fill(stream, buffer, buffer.len() + 1).await?;
                }
                _ => return Err(Trouble::Refuse(400)),
            }
        };
        buffer.advance(line);
        let size = usize::try_from(size)
            .ok()
            .filter(|size| size.saturating_add(body.len()) <= BODY)
            .ok_or(Trouble::Refuse(413))?;
        if size == 0 {
            break;
        }
        fill(stream, buffer, size + 2).await?;
        body.extend_from_slice(&buffer.split_to(size));
        if &buffer.split_to(2)[..] != b"\r\n" {
            return Err(Trouble::Refuse(400));
        }
    }
    skip_trailers(stream, buffer).await?;
    Ok(body.freeze())
}

async fn skip_trailers(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<(), Trouble> {
    let mut skipped = 0;
    loop {
        match buffer.windows(2).position(|pair| pair == b"\r\n") {
            Some(0) => {
                buffer.advance(2);
                return Ok(());
            }
            Some(end) => {
                skipped += end + 2;
                buffer.advance(end + 2);
            }
            None => fill(stream, buffer, buffer.len() + 1).await?,
        }
        if skipped + buffer.len() > HEAD && !buffer.starts_with(b"\r\n") {
            return Err(Trouble::Refuse(431));
        }
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut BytesMut, length: usize) -> Result<(), Trouble> {
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(Trouble::Io(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    Ok(())
}

fn is(text: &str, other: &str) -> bool {
    text.trim().eq_ignore_ascii_case(other)
}
