//! Deciding what a stored answer is good for: RFC 9111 for a private cache, as plain functions.
//!
//! Nothing here reads a clock, a file or the network; `now` is an argument. What is stored, and where, is [`crate::store`]'s
//! business; when to ask is the path's.

mod entry;
mod identity;
mod key;
mod lifetimes;

pub use entry::{Entry, Flags, LifetimeSource, Part, Policy, Vary};
pub use identity::Identity;
pub use key::Key;
pub use lifetimes::Lifetime;
