//! The path of a request under attack, stage by stage: what happens when callers leave, servers break, files are unusable and
//! others are in the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod blocked;
mod cached;
mod certified;
mod closed;
mod coalesced;
mod configured;
mod masked;
mod paced;
mod redirected;
mod rehearsed;
mod retried;
mod streamed;
#[allow(dead_code, reason = "the acceptance rows use the rest")]
mod support;
mod timed;
mod uploaded;
