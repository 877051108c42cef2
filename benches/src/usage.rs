//! What the kernel counts: processor time and memory.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::Fallible;

/// Processor time of this process so far, user and system.
pub fn own() -> Fallible<Duration> {
    of(UsageWho::RUSAGE_SELF)
}

/// Processor time of all children that have ended and were waited for.
pub fn children() -> Fallible<Duration> {
    of(UsageWho::RUSAGE_CHILDREN)
}

fn of(who: UsageWho) -> Fallible<Duration> {
    let usage = getrusage(who)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}

/// The most memory this process has had at once, in bytes.
pub fn peak_memory() -> Fallible<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1024)
}
