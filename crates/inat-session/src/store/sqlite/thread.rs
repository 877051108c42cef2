//! A number for each thread, so that each has what it uses often to itself.

use std::sync::atomic::{AtomicUsize, Ordering};

/// That of this thread; no two have the same.
pub(super) fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
