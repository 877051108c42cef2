//! The sandbox as its clients meet it, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod api;
mod caching;
mod client;
mod faulty;
mod older;
mod server;
mod shapes;
mod talk;
mod writing;
