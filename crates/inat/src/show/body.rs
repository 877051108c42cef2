//! The body of an answer.

use std::fmt::Write as _;
use std::io::{self, Read, Write};

use inat_session::{Fault, Response};
use serde::Deserialize;

use super::{Screen, Sink, json, size};
use crate::failure::Failure;

/// How a body is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Indented on a terminal, as it came elsewhere.
    Auto,
    /// JSON indented.
    Indented,
    /// As it came.
    AsItCame,
}

/// Writes the body, whole or as it arrives.
pub(crate) fn write_body(screen: Screen, response: Response, layout: Layout, sink: &mut Sink) -> Result<(), Failure> {
    let on_terminal = sink.is_stdout() && screen.out_is_terminal;
    let name = sink.name();
    let failed = |error: io::Error| Failure::files(name.clone(), error);
    let Ok(bytes) = response.bytes() else {
        return copy(response, sink);
    };
    let is_json = response.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
    let indents = is_json && (layout == Layout::Indented || (layout == Layout::Auto && on_terminal));
    if indents && !bytes.is_empty() {
        let color = sink.is_stdout() && screen.colors_out();
        let mut buffered = io::BufWriter::with_capacity(64 << 10, sink);
        json::indent(bytes, color, &mut buffered).map_err(failed)?;
        buffered.write_all(b"\n").map_err(failed)?;
        return buffered.flush().map_err(failed);
    }
    if on_terminal && layout != Layout::AsItCame && is_binary(bytes) {
        screen.say(&format!("{} that are no text: write them to a file with -o FILE", size(bytes.len() as u64)));
        return Ok(());
    }
    sink.write_all(bytes).map_err(failed)?;
    if on_terminal && bytes.last().is_some_and(|last| *last != b'\n') {
        sink.write_all(b"\n").map_err(failed)?;
    }
    sink.flush().map_err(failed)
}

/// Hands a body on as it arrives.
fn copy(response: Response, sink: &mut Sink) -> Result<(), Failure> {
    let mut reader = response.into_reader();
    let mut piece = vec![0; 64 << 10];
    loop {
        let length = match reader.read(&mut piece) {
            Ok(0) => return sink.flush().map_err(|error| Failure::files(sink.name(), error)),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error)),
        };
        sink.write_all(&piece[..length]).map_err(|error| Failure::files(sink.name(), error))?;
    }
}

/// The server's fault, when it is one, and not that of a file.
fn broken(error: io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) {
        Some(fault) => Failure::Broken(fault.clone()),
        None => Failure::files("the answer", error),
    }
}

fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(4096).any(|byte| *byte == 0)
}

/// The head of an answer, for those who asked for nothing else. Cookies are credentials.
pub(crate) fn headers(response: &Response) -> String {
    let mut text = format!("{:?} {} {}", response.version(), response.status().as_u16(), response.reason());
    for (name, value) in response.headers() {
        let secret = value.is_sensitive() || matches!(name.as_str(), "set-cookie" | "authorization");
        let value = if secret { inat_session::MASK.into() } else { String::from_utf8_lossy(value.as_bytes()) };
        let _ = write!(text, "\n{name}: {value}");
    }
    text
}

/// Whether an answer says that nothing matched: no results, or an empty list.
pub(crate) fn is_empty(response: &Response) -> bool {
    #[derive(Deserialize)]
    struct Page {
        results: Option<Vec<serde::de::IgnoredAny>>,
        total_results: Option<u64>,
    }
    if let Ok(list) = response.json::<Vec<serde::de::IgnoredAny>>() {
        return list.is_empty();
    }
    match response.json::<Page>() {
        // A count without records was asked for: its number counts.
        Ok(Page { results: Some(results), total_results: Some(total) }) => {
            results.is_empty() && (total == 0 || asks_for_records(response))
        }
        Ok(Page { results: Some(results), .. }) => results.is_empty(),
        Ok(Page { total_results: Some(total), .. }) => total == 0,
        _ => false,
    }
}

fn asks_for_records(response: &Response) -> bool {
    !response.url().query_pairs().any(|(name, value)| name == "per_page" && value == "0")
}
