//! The budget: how many requests may go out, shared by every process on the machine.
//!
//! The problem: a server asks for at most 60 requests a minute, and a person runs a notebook, a cron job and three commands
//! at once, kills one and starts it again. Counting before sending is not enough: two processes count 59 and both send.
//!
//! The answer is a reservation. One transaction on a file that all processes share finds the earliest instant that is legal
//! in every window, writes it down and says how long to wait; the caller sleeps once, and sends. Nobody polls, and nothing
//! is consumed by a wait that would be too long.
//!
//! | file | idea |
//! |---|---|
//! | `limits`, `rate` | what the user sets, and the windows it makes |
//! | `schedule` | the earliest legal instant, and why the limit then holds: start reading here |
//! | `book` | reserving, confirming, handing back: written once for every kind of ledger |
//! | `ledger`, `memory`, `sqlite` | where the slots are written down |
//! | `time` | a time that does not jump when somebody sets the clock |
//! | `lock` | waiting for a lock, but never for ever |
//! | `bucket` | which requests count together |
//! | `answer`, `penalty` | which answers of the server are refusals; what those do to a bucket |
//! | `bytes`, `media` | the byte budget of media hosts |
//! | `refresh` | versions that beat the server's cache |
//! | `turn`, `waits`, `desk`, `line`, `limiter`, `permit` | one queue per process, and the async face of it all |
//! | `report` | the account for people to look at |

mod answer;
mod book;
mod bucket;
mod bytes;
mod desk;
mod ledger;
mod limiter;
mod limits;
mod line;
mod lock;
mod media;
mod memory;
mod penalty;
mod permit;
mod rate;
mod refresh;
mod report;
mod schedule;
mod sqlite;
mod time;
mod turn;
mod waits;

pub use bytes::{ByteAsk, ByteSlot, ReservedBytes};
pub use ledger::{Account, Ask, Confirmed, Ledger, LedgerError, Reserved, Slot, Why};
pub use limiter::Limiter;
pub use limits::{ByteLimits, Limits, Rates};
pub use memory::MemoryLedger;
pub use penalty::{Penalty, Stop};
pub use permit::{BytePermit, Outcome, Patience, Permit, Refusal, Reported, RetryAfter, Wait, WaitReason};
pub use rate::{Window, WindowName};
pub use report::{BucketReport, ByteReport, WindowReport};
pub use sqlite::SqliteLedger;
