//! Standard error by way of a thread, for `inat serve`: whoever started it may not read what it says, and a pipe that is full
//! would keep its threads, and with them its clients, waiting. What finds no room is left out.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Lines that wait to be written.
const ROOM: usize = 1000;
/// How long the last ones may take at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where what is said goes.
enum Way {
    Straight,
    Aside(SyncSender<Vec<u8>>, Receiver<()>),
    /// Nobody reads.
    Nowhere,
}

static WAY: Mutex<Way> = Mutex::new(Way::Straight);

/// From now on nobody waits for standard error.
pub(crate) fn begin() {
    let (lines, written) = sync_channel::<Vec<u8>>(ROOM);
    let (done, ended) = channel();
    let writer = std::thread::Builder::new().name("stderr".to_owned()).spawn(move || {
        for line in written {
            let _ = io::stderr().lock().write_all(&line);
        }
        drop(done);
    });
    if writer.is_ok() {
        set(Way::Aside(lines, ended));
    }
}

/// What was said is written, unless nobody reads it.
pub(crate) fn end() {
    let Way::Aside(lines, ended) = set(Way::Nowhere) else { return };
    drop(lines);
    // It never says anything; that it is gone is the word.
    if ended.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected) {
        set(Way::Straight);
    }
}

/// Writes a line. There is nobody to tell when this fails.
pub(super) fn write(line: String) {
    let way = WAY.lock().unwrap_or_else(PoisonError::into_inner);
    let line = (line + "\n").into_bytes();
    match &*way {
        Way::Straight => {
            drop(way);
            let _ = io::stderr().lock().write_all(&line);
        }
        Way::Aside(lines, _) => drop(lines.try_send(line)),
        Way::Nowhere => {}
    }
}

fn set(way: Way) -> Way {
    std::mem::replace(&mut *WAY.lock().unwrap_or_else(PoisonError::into_inner), way)
}
