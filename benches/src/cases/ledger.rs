//! Reservations: one process, four, and with a long past.

use std::path::Path;
use std::time::{Duration, Instant};

use inat_session::Clock;
use inat_session::limit::{Ask, Ledger, MemoryLedger, Reserved, SqliteLedger, Window, WindowName};
use tempfile::TempDir;

use crate::repeat::repeat;
use crate::report::{Row, Target, micros};
use crate::timing::{Timed, timed};
use crate::{Effort, Fallible, child, usage};

const PROCESSES: usize = 4;

/// Three windows whose limits nobody reaches here; the longest remembers all that is reserved.
fn windows() -> [Window; 3] {
    [
        (WindowName::Second, 10_000_000, Duration::from_secs(1)),
        (WindowName::Minute, 100_000_000, Duration::from_secs(60)),
        (WindowName::Day, 1_000_000_000, Duration::from_secs(86_400)),
    ]
    .map(|(name, limit, length)| Window::new(name, limit, length, Duration::from_millis(20)))
}

pub fn run(effort: Effort) -> Fallible<Vec<Row>> {
    let folder = TempDir::new()?;
    let mut rows = Vec::new();

    let file = folder.path().join("one.db");
    let taken = repeat(effort.repetitions, |_| {
        let ledger = SqliteLedger::at(&file, Clock::system());
        reserve_one(&ledger)?;
        let (begun, before, mut done) = (Instant::now(), usage::own()?, 0_u32);
        while begun.elapsed() < effort.span * 2 {
            reserve_one(&ledger)?;
            done += 1;
        }
        let used = usage::own()?.saturating_sub(before);
        Ok((f64::from(done) / begun.elapsed().as_secs_f64(), used.as_secs_f64() * 1e6 / f64::from(done)))
    })?;
    let (rates, used): (Vec<f64>, Vec<f64>) = taken.into_iter().unzip();
    rows.push(Row::alone("reservations on file, one process", &rates, "/s", Target::AtLeast(40_000.0)));
    rows.push(against_a_bare_commit(effort, folder.path())?);
    // Beside others on the same machine the better measure.
    rows.push(Row::alone("processor time of one of them", &used, "µs", Target::None));

    let taken = repeat(effort.repetitions, |_| {
        let file = TempDir::new_in(folder.path())?;
        let file = file.path().join("four.db");
        let lines = child::together("reserve", &[text(&file)?, &(effort.span * 4).as_millis().to_string()], PROCESSES)?;
        let rates: Vec<f64> = lines.iter().map(|line| Ok(line.parse()?)).collect::<Fallible<_>>()?;
        let (slowest, fastest) =
            rates.iter().fold((f64::MAX, 0.0_f64), |(min, max), rate| (min.min(*rate), max.max(*rate)));
        Ok((rates.iter().sum::<f64>(), slowest / fastest))
    })?;
    let (all, fairness): (Vec<f64>, Vec<f64>) = taken.into_iter().unzip();
    rows.push(Row::alone("reservations on file, four processes together", &all, "/s", Target::AtLeast(40_000.0)));
    rows.push(Row::alone("the slowest of them against the fastest", &fairness, "×", Target::AtLeast(0.5)));

    rows.extend(with_a_past(effort, &folder)?);

    let taken =
        repeat(effort.repetitions, |_| Ok(rate(&MemoryLedger::new(Clock::system()), effort.span)?.per_second / 1e6))?;
    rows.push(Row::alone("reservations in memory", &taken, "million/s", Target::AtLeast(2.0)));
    Ok(rows)
}

/// The floor: a file of the same kind, one row appended in a transaction of its own, and nothing else.
fn against_a_bare_commit(effort: Effort, folder: &Path) -> Fallible<Row> {
    let bare = rusqlite::Connection::open(folder.join("bare.db"))?;
    bare.execute_batch(
        "PRAGMA page_size = 512; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 2500;
         CREATE TABLE slot (key INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;",
    )?;
    let run = |sql: &str, values: &[i64]| -> Fallible<usize> {
        Ok(bare.prepare_cached(sql)?.execute(rusqlite::params_from_iter(values))?)
    };
    let ledger = SqliteLedger::at(folder.join("beside.db"), Clock::system());
    let mut key = 1_i64 << 40;
    let taken = repeat(effort.repetitions, |_| {
        let ours = 1e6 / rate(&ledger, effort.span)?.per_second;
        let floor = timed(effort.span, |_| {
            key += 1;
            run("BEGIN IMMEDIATE", &[])?;
            run("INSERT INTO slot (key, at) VALUES (?1, ?2)", &[key, 1_700_000_000_000_000 + key])?;
            run("COMMIT", &[])?;
            Ok(())
        })?;
        Ok((ours, 1e6 / floor.per_second))
    })?;
    let (ours, floor): (Vec<f64>, Vec<f64>) = taken.into_iter().unzip();
    let ratios: Vec<f64> = ours.iter().zip(&floor).map(|(ours, floor)| ours / floor).collect();
    Ok(Row::ratio(
        "time of a reservation vs a bare SQLite commit of one row",
        micros(&ours),
        micros(&floor),
        &ratios,
        Target::None,
    ))
}

fn with_a_past(effort: Effort, folder: &TempDir) -> Fallible<Vec<Row>> {
    let mut files = Vec::new();
    for past in [10_000, 1_000_000] {
        let file = folder.path().join(format!("past-{past}.db"));
        let ledger = SqliteLedger::at(&file, Clock::system());
        for _ in 0..past {
            reserve_one(&ledger)?;
        }
        files.push((past, file));
    }
    let taken = repeat(effort.repetitions, |_| {
        let mut p50 = Vec::new();
        let fresh = TempDir::new_in(folder.path())?;
        let empty = fresh.path().join("empty.db");
        for file in [&empty, &files[0].1, &files[1].1] {
            let ledger = SqliteLedger::at(file, Clock::system());
            p50.push(1e6 / rate(&ledger, effort.span)?.per_second);
        }
        Ok(p50)
    })?;
    let of = |at: usize| -> Vec<f64> { taken.iter().map(|times| times[at]).collect() };
    let row = |(at, (past, file)): (usize, &(usize, std::path::PathBuf))| {
        let ratios: Vec<f64> = taken.iter().map(|times| times[at + 1] / times[0]).collect();
        let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
        Row::ratio(
            format!("time of a reservation with {past} past slots ({} KiB) vs none", bytes / 1024),
            micros(&of(at + 1)),
            micros(&of(0)),
            &ratios,
            Target::AtMost(1.3),
        )
    };
    Ok(files.iter().enumerate().map(row).collect())
}

fn rate(ledger: &dyn Ledger, span: Duration) -> Fallible<Timed> {
    reserve_one(ledger)?;
    timed(span, |_| reserve_one(ledger))
}

fn reserve_one(ledger: &dyn Ledger) -> Fallible<()> {
    let windows = windows();
    match ledger.reserve(&Ask::new("api.inaturalist.org", &windows))? {
        Reserved::Slot(_) => Ok(()),
        other => Err(format!("no slot: {other:?}").into()),
    }
}

fn text(path: &Path) -> Fallible<&str> {
    path.to_str().ok_or_else(|| "a path that is not text".into())
}

/// The role: reserves for so many milliseconds, and prints how many a second it got.
pub fn reserve(arguments: &[String]) -> Fallible<()> {
    let [file, millis] = arguments else { return Err("file and time are missing".into()) };
    let span = Duration::from_millis(millis.parse()?);
    let ledger = SqliteLedger::at(file, Clock::system());
    child::ready()?;
    let (begun, mut got) = (Instant::now(), 0_u64);
    while begun.elapsed() < span {
        reserve_one(&ledger)?;
        got += 1;
    }
    println!("{}", got as f64 / begun.elapsed().as_secs_f64());
    Ok(())
}
