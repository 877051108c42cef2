//! The real command against the sandbox, in a home folder of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "the names are our own")]

mod asking;
mod exits;
mod files;
mod home;
mod keeping;
mod secrets;
mod serving;
mod settings;
mod unread;
