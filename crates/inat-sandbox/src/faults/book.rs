//! Which fault a request meets: the next of a script, the one it asks for, or one drawn by chance.

use std::collections::{HashMap, VecDeque};

use super::Fault;
use crate::{Answer, Seen, data::Dice};

/// Targets remembered for `*N`; beyond it the counts start again.
const COUNTED: usize = 10_000;
const NAME: &str = "x-sandbox-fault";

#[derive(Debug, Default)]
pub(crate) struct Book {
    scripts: Vec<(String, VecDeque<Fault>)>,
    asked: HashMap<String, u32>,
    drawn: u64,
}

impl Book {
    pub(crate) fn script(&mut self, prefix: String, faults: VecDeque<Fault>) {
        self.scripts.retain(|(_, left)| !left.is_empty());
        self.scripts.push((prefix, faults));
    }

    pub(crate) fn clear(&mut self) {
        self.scripts.clear();
    }

    pub(crate) fn choose(&mut self, seen: &Seen, chances: &[(Fault, f64)], world: u64) -> Option<Fault> {
        let script =
            self.scripts.iter_mut().find(|(prefix, left)| !left.is_empty() && seen.target.starts_with(prefix.as_str()));
        if let Some(fault) = script.and_then(|(_, left)| left.pop_front()) {
            return Some(fault).filter(|fault| *fault != Fault::Pass);
        }
        self.asked_for(seen).or_else(|| self.draw(seen, chances, world))
    }

    /// `X-Sandbox-Fault: 503*2` asks for the fault on the first two requests for this target only, so that a retry succeeds.
    fn asked_for(&mut self, seen: &Seen) -> Option<Fault> {
        let by_query =
            || seen.params().into_iter().find(|(key, _)| key.eq_ignore_ascii_case(NAME)).map(|(_, value)| value);
        let text = seen.header(NAME).map(str::to_owned).or_else(by_query)?;
        let (fault, times) = match text.rsplit_once('*') {
            Some((fault, times)) => (fault, times.trim().parse().ok()),
            None => (text.as_str(), None),
        };
        let fault = match fault.parse::<Fault>() {
            Ok(Fault::Pass) => return None,
            Ok(fault) => fault,
            // A name that is mistyped must not look like a server that withstands it.
            Err(problem) => return Some(Fault::Answer(Answer::text(400, format!("{problem}\n")))),
        };
        let Some(times) = times else { return Some(fault) };
        if self.asked.len() >= COUNTED {
            self.asked.clear();
        }
        let count: &mut u32 = self.asked.entry(format!("{} {} {text}", seen.method, seen.target)).or_default();
        *count = count.saturating_add(1);
        (*count <= times).then_some(fault)
    }

    fn draw(&mut self, seen: &Seen, chances: &[(Fault, f64)], world: u64) -> Option<Fault> {
        if chances.is_empty() || seen.target.starts_with("/__sandbox/") {
            return None;
        }
        self.drawn += 1;
        let mut left = Dice::new(world, "fault", self.drawn).unit();
        for (fault, rate) in chances {
            if left < *rate {
                return Some(fault.clone()).filter(|fault| *fault != Fault::Pass);
            }
            left -= rate;
        }
        None
    }
}
