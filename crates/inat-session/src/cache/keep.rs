use http::HeaderMap;
use std::sync::Arc;
use super::{Asked, Entry, Identity, Part, Received, Rules, WhyNot};
/// What to do with an answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Store it, with its body.
    Store(Box<Entry>),
    /// 304: the stored body of this variant is the answer, with these metadata.
    Freshen {
        /// Which variant.
        index: usize,
        /// What is known about it now.
        entry: Box<Entry>,
        /// Other variants it says something about, with what is known about them now (RFC 9111 §4.3.4).
        also: Vec<(usize, Box<Entry>)>,
    },
    /// 304, but nothing stored matches it: ask once more, without any condition.
    Useless304,
    /// A `HEAD` answer, to be handed on; it says something new about these stored variants (RFC 9111 §4.3.5).
    Update(Vec<(usize, Box<Entry>)>),
    /// A 206, to be handed on; together with a stored variant it makes this entry, whose body is [`super::splice`]d
    /// (RFC 9111 §3.4).
    Combine {
        /// Which variant.
        index: usize,
        /// What they are together.
        entry: Box<Entry>,
        /// The range that arrived.
        part: Part,
    },
    /// Do not store it, and remove these variants: it shows that they are outdated.
    Forget {
        /// Which variants.
        indexes: Vec<usize>,
        /// Why it is not stored itself.
        why: WhyNot,
    },
    /// Do not store it.
    Nothing(WhyNot),
}
/// keep
pub fn keep(_asked: &Asked<'_>, _sent: &HeaderMap, _variants: &[Arc<Entry>], _received: &Received<'_>, _identity: Identity, _rules: &Rules) -> Keep { Keep::Nothing(WhyNot::Bypass) }
