//! Ctrl-C, and the signals that end a program in other ways (SIGTERM, SIGHUP): what is half written is taken away, a slot of the
//! budget that is waited for is handed back, and the exit code is 130.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use inat_session::blocking::Session;

use crate::exit::Exit;

/// The file that is not complete yet.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);
/// The session that sends.
static SESSION: Mutex<Option<Session>> = Mutex::new(None);
static ASKED: AtomicBool = AtomicBool::new(false);

/// Notes which file to take away, or that there is none any more.
pub(crate) fn unfinished(path: Option<PathBuf>) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

/// Notes which session to close, for as long as what this gives is kept.
pub(crate) fn sends(session: &Session) -> Sends {
    *SESSION.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
    Sends
}

/// A session that a signal would close.
#[must_use]
pub(crate) struct Sends;

impl Drop for Sends {
    /// A session closes its files when nobody has it any more.
    fn drop(&mut self) {
        SESSION.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// From now on they end the process with 130.
pub(crate) fn watch() {
    // Without it Ctrl-C ends the process as well, only less tidily.
    let _ = ctrlc::set_handler(|| {
        ASKED.store(true, Ordering::Release);
        if let Some(path) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = std::fs::remove_file(path);
        }
        close_session();
        std::process::exit(Exit::Interrupted as i32);
    });
}

/// What comes of a request whose session was closed by a signal is nobody's concern: the process is about to end.
pub(crate) fn give_way() {
    /// Longer than closing takes.
    const PATIENCE: Duration = Duration::from_secs(2);
    if ASKED.load(Ordering::Acquire) {
        std::thread::sleep(PATIENCE);
    }
}

fn close_session() {
    /// It takes milliseconds, unless another program holds a file; nobody waits for that after Ctrl-C.
    const PATIENCE: Duration = Duration::from_millis(500);
    let Some(session) = SESSION.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let (done, closed) = mpsc::channel();
    let closing = std::thread::Builder::new().spawn(move || {
        let _ = session.close_now();
        let _ = done.send(());
    });
    if closing.is_ok() {
        let _ = closed.recv_timeout(PATIENCE);
    }
}
