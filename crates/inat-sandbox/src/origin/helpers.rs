//! `/__sandbox/…`: replies to measure and test with, beside the API.

use percent_encoding::percent_decode_str;
use serde_json::json;

use super::{Origin, call::Call, media, reply::Refusal};
use crate::{Answer, data::Dice};

const LARGEST: usize = 256 * 1024 * 1024;

impl Origin {
    pub(super) fn helper(call: &Call<'_>, segments: &[&str]) -> Answer {
        match segments {
            ["bytes", size] => sized(size, |size| {
                let answer = Answer::new(200).header("Content-Type", "application/octet-stream");
                media::ranged(call, answer.body(Dice::new(0, "bytes", size as u64).bytes(size)), media::CHANGED)
            }),
            ["json", size] => sized(size, |size| Answer::json(&filler(size))),
            ["status", code] => match code.parse::<u16>() {
                Ok(code @ 200..=599) => Answer::text(code, format!("{code}\n")),
                _ => Answer::text(400, "a status from 200 to 599, please\n"),
            },
            ["redirect", ..] => redirect(call),
            ["echo", ..] => echo(call),
            _ => Refusal::no_route(call),
        }
    }
}

fn sized(size: &str, make: impl FnOnce(usize) -> Answer) -> Answer {
    match size.parse() {
        Ok(size) if size <= LARGEST => make(size),
        _ => Answer::text(400, "a size up to 268435456, please\n"),
    }
}

/// About this many bytes of JSON in the shape of a listing.
fn filler(size: usize) -> serde_json::Value {
    const RECORD: usize = 100;
    let results: Vec<_> = (0..size / RECORD)
        .map(|id| json!({ "id": id, "uuid": Dice::new(0, "filler", id as u64).uuid(), "name": "Danaus plexippus", "rank": "species" }))
        .collect();
    json!({ "total_results": results.len(), "page": 1, "per_page": results.len(), "results": results })
}

/// `/__sandbox/redirect/v1/taxa?q=x`, `/__sandbox/redirect/307/v1/taxa`, `/__sandbox/redirect/http://other/`.
fn redirect(call: &Call<'_>) -> Answer {
    let target = call.seen.target.strip_prefix("/__sandbox/redirect/").unwrap_or_default();
    let (status, target) = match target.split_once('/') {
        Some((code @ ("301" | "302" | "303" | "307" | "308"), rest)) => (code.parse().unwrap_or(302), rest),
        _ => (302, target),
    };
    let decoded = percent_decode_str(target).decode_utf8_lossy();
    let absolute = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    let location = if absolute(target) {
        target.to_owned()
    } else if absolute(&decoded) {
        decoded.replace(['\r', '\n'], "")
    } else {
        format!("/{target}")
    };
    Answer::new(status).header("Location", location)
}

fn echo(call: &Call<'_>) -> Answer {
    let headers: Vec<_> = call.seen.headers.iter().map(|(name, value)| json!([name, value])).collect();
    Answer::json(&json!({
        "method": call.seen.method,
        "target": call.seen.target,
        "headers": headers,
        "body": String::from_utf8_lossy(&call.seen.body),
    }))
    .header("Cache-Control", "no-store")
}
