//! The session as an HTTP cache, end to end: a client that asks the same URL several times, an origin that does what a row
//! says, and nothing but HTTP's own rules (`headers_only`). Every row names the section that demands (MUST, SHOULD) or
//! allows (MAY) what it checks.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::too_many_lines, reason = "a table is as long as it is")]

mod corners;
mod directives;
mod fields;
mod freshness;
mod invalidation;
mod ranges;
mod script;
mod stale;
mod statuses;
mod validation;
mod vary;
mod wire;
