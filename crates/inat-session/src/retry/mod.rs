//! Whether to try again, and after how long. One loop owns every retry (the path's), so that no two layers multiply each
//! other: the reference sends 36 requests where it means 6 (original-behaviour D16). Here is only the verdict; every try it
//! grants passes the budget again.

mod backoff;
mod retry_after;
mod verdict;

pub use backoff::Backoff;
pub(crate) use retry_after::retry_after;
pub(crate) use verdict::{Outcome, Tried, Verdict, Why, judge};
