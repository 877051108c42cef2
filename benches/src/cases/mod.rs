//! What is measured. A case makes one or more lines of the table.

pub mod disk;
pub mod entries;
pub mod gateway;
pub mod hits;
pub mod ledger;
pub mod memory;
pub mod miss;
pub mod pace;
pub mod stampede;
pub mod start;
pub mod stores;
pub mod threads;

use crate::report::Row;
use crate::{Effort, Fallible};

/// One of them.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub run: fn(Effort) -> Fallible<Vec<Row>>,
}

pub const ALL: [Case; 13] = [
    Case { name: "tier", run: hits::from_memory },
    Case { name: "sqlite", run: hits::from_sqlite },
    Case { name: "threads", run: threads::run },
    Case { name: "store", run: stores::run },
    Case { name: "entries", run: entries::run },
    Case { name: "start", run: start::run },
    Case { name: "disk", run: disk::run },
    Case { name: "memory", run: memory::run },
    Case { name: "stampede", run: stampede::run },
    Case { name: "ledger", run: ledger::run },
    Case { name: "pace", run: pace::run },
    Case { name: "miss", run: miss::run },
    Case { name: "gateway", run: gateway::run },
];
