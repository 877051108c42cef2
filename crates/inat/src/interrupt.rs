//! Ctrl-C, and the signals that end a program in other ways (SIGTERM, SIGHUP): what is half written is taken away, and the exit
//! code is 130.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::exit::Exit;

/// The file that is not complete yet.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Notes which file to take away, or that there is none any more.
pub(crate) fn unfinished(path: Option<PathBuf>) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

/// From now on they end the process with 130.
pub(crate) fn watch() {
    // Without it Ctrl-C ends the process as well, only less tidily.
    let _ = ctrlc::set_handler(|| {
        if let Some(path) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = std::fs::remove_file(path);
        }
        std::process::exit(Exit::Interrupted as i32);
    });
}
