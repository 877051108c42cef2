//! The most memory a process takes.

use inat_session::blocking;
use tempfile::TempDir;

use crate::body::{BLOB, MEDIUM};
use crate::origin::Origin;
use crate::report::Row;
use crate::{Effort, Fallible, child, peers, usage};

const HITS: usize = 1_000;
const MIB: f64 = 1024.0 * 1024.0;

pub fn run(_: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin) = (TempDir::new()?, Origin::start()?);
    let file = folder.path().join("cache.db");
    let name = file.to_str().ok_or("a path that is not text")?;
    let filling = peers::ours(&file, 0)?;
    for n in 0..HITS {
        filling.get(&origin.url(MEDIUM, n))?;
    }
    filling.close()?;
    origin.arrivals()?;
    let hits: u64 = child::run("peak-hits", &[name, &origin.url(MEDIUM, 0)])?.parse()?;
    origin.was_left_alone()?;
    let other = folder.path().join("blob.db");
    let other = other.to_str().ok_or("a path that is not text")?;
    let blob: u64 = child::run("peak-blob", &[other, &origin.url(BLOB, 0)])?.parse()?;
    let nothing: u64 = child::run("peak-blob", &[other, ""])?.parse()?;
    let bound = peers::TIER + 10_000_000;
    Ok(vec![
        Row::counted(
            format!("peak memory, {HITS} different medium hits"),
            format!("{:.1} MiB", hits as f64 / MIB),
            &format!("≤ {:.1} MiB (tier + 10 MB)", bound as f64 / MIB),
            hits <= bound,
        ),
        Row::counted(
            "peak memory, a body of 20 MB fetched and stored",
            format!(
                "{:.1} MB, {:.2}× the body ({:.1} MB of it before anything is asked)",
                blob as f64 / 1e6,
                blob as f64 / BLOB.len as f64,
                nothing as f64 / 1e6
            ),
            "≤ 3×",
            blob <= 3 * BLOB.len as u64,
        ),
    ])
}

/// The role: hits on different URLs, with the memory tier as it comes.
pub fn hits(arguments: &[String]) -> Fallible<()> {
    let [file, first] = arguments else { return Err("file and URL are missing".into()) };
    let session = peers::ours(file.as_ref(), peers::TIER)?;
    let stem = first.trim_end_matches('0');
    for n in 0..HITS {
        peers::hit(&session, &format!("{stem}{n}"), MEDIUM)?;
    }
    println!("{}", usage::peak_memory()?);
    Ok(())
}

/// The role: one large body, fetched and kept.
pub fn blob(arguments: &[String]) -> Fallible<()> {
    let [file, url] = arguments else { return Err("file and URL are missing".into()) };
    let session: blocking::Session = peers::ours(file.as_ref(), peers::TIER)?;
    if !url.is_empty() {
        let response = session.get(url)?;
        if response.expiry() == inat_session::Expiry::NotStored || response.bytes()?.len() != BLOB.len {
            return Err("the body was not stored".into());
        }
    }
    println!("{}", usage::peak_memory()?);
    Ok(())
}
