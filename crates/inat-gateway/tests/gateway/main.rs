//! A gateway between real sockets: raw clients on one side, an origin that says any bytes on the other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::must_use_candidate,
    clippy::missing_panics_doc,
    unreachable_pub,
    reason = "tests"
)]

mod cached;
mod drained;
mod faithful;
mod guarded;
mod identities;
mod interim;
#[cfg(unix)]
mod processes;
mod slow;
mod support;
mod wires;
