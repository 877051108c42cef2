//! A client that hides nothing: what was sent, what came back, and whether it was whole.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Dechunked, still compressed.
    pub(crate) body: Vec<u8>,
    /// Whether the framing says that nothing is missing.
    pub(crate) whole: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

pub(crate) fn get(addr: SocketAddr, target: &str) -> Reply {
    send(addr, "GET", target, &[], b"")
}

pub(crate) fn get_with(addr: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Reply {
    send(addr, "GET", target, headers, b"")
}

pub(crate) fn send(addr: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    exchange(addr, method, target, headers, body).unwrap_or_else(|error| panic!("{method} {target}: {error}"))
}

/// One request on its own connection; an error where no head of a reply came back.
pub(crate) fn exchange(
    addr: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let mut stream = connect(addr);
    stream.write_all(&request(method, target, headers, body, false))?;
    let mut raw = Vec::new();
    let ended = stream.read_to_end(&mut raw);
    match parse(&raw, method == "HEAD") {
        Some((reply, _)) => Ok(reply),
        None => Err(ended.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())),
    }
}

pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8], keep: bool) -> Vec<u8> {
    let mut out = format!("{method} {target} HTTP/1.1\r\nHost: sandbox\r\n");
    if !keep {
        out += "Connection: close\r\n";
    }
    if !body.is_empty() {
        out += &["Content-Length: ", &body.len().to_string(), "\r\n"].concat();
    }
    for (name, value) in headers {
        out += &[name, ": ", value, "\r\n"].concat();
    }
    out += "\r\n";
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

/// The first reply in these bytes, and where it ends.
pub(crate) fn parse(raw: &[u8], head_only: bool) -> Option<(Reply, usize)> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut reply = Reply { status, headers, body: Vec::new(), whole: true };
    let rest = &raw[end..];
    let mut used = end;
    if !head_only && status != 304 && status != 204 {
        if reply.header("transfer-encoding").is_some() {
            let (body, whole, length) = dechunk(rest);
            (reply.body, reply.whole) = (body, whole);
            used += length;
        } else {
            let length = reply.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(rest.len());
            reply.whole = rest.len() >= length;
            reply.body = rest[..length.min(rest.len())].to_vec();
            used += reply.body.len();
        }
    }
    Some((reply, used))
}

fn dechunk(raw: &[u8]) -> (Vec<u8>, bool, usize) {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = raw[at..].windows(2).position(|pair| pair == b"\r\n") else { return (body, false, raw.len()) };
        let size = usize::from_str_radix(std::str::from_utf8(&raw[at..at + line]).unwrap(), 16).unwrap();
        at += line + 2;
        if raw.len() < at + size + 2 {
            body.extend_from_slice(&raw[at.min(raw.len())..]);
            return (body, false, raw.len());
        }
        body.extend_from_slice(&raw[at..at + size]);
        at += size + 2;
        if size == 0 {
            return (body, true, at);
        }
    }
}

pub(crate) fn gunzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut out)?;
    Ok(out)
}

pub(crate) fn bearer(user: u64) -> String {
    format!("Bearer {}", inat_sandbox::Sandbox::jwt(user, 3_600))
}
