//! Request items, as `HTTPie` has them: the parts of a request as words of a command line.
//!
//! `split` finds the separator of one word, `item` says what the word means, `nested` builds JSON from names with brackets,
//! `apply` adds everything to a request.

mod apply;
mod item;
mod nested;
mod split;

pub(crate) use apply::{Shape, apply};
pub(crate) use item::{Item, parse};

use crate::failure::Failure;

/// `inat help items`.
pub(crate) const TOPIC: &str = "\
Each item is one word:

  name==value      a query parameter: q==monarch
  name=value       a field of the JSON body, as text: description=Seen
  name:=JSON       a field of the JSON body, as it is: latitude:=36.6 tags:='[\"a\",\"b\"]'
  name@FILE        a file to upload; a URL is fetched first, `-` is standard input; the name is `file` unless given
  Header:value     a header field
  Header;          a header field without a value

  name=@FILE, name:=@FILE, name==@FILE, Header:@FILE
                   the same, with the value read from a file

Names with brackets make nested JSON:

  observation[species_guess]=Monarch     {\"observation\": {\"species_guess\": \"Monarch\"}}
  ids[]:=1 ids[]:=2                      {\"ids\": [1, 2]}
  rows[0][name]=a                        {\"rows\": [{\"name\": \"a\"}]}
  :='[1, 2]'                             the whole body

The first separator in a word counts. A backslash makes a separator or bracket part of the name: a\\:b=c, a\\[b=c.
With an upload, or with --form, name=value becomes a field of a form.";

/// What is wrong with an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadItem {
    pub(crate) what: String,
    pub(crate) hint: &'static str,
}

impl BadItem {
    fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self { what: what.into(), hint }
    }
}

impl From<BadItem> for Failure {
    fn from(bad: BadItem) -> Self {
        Self::usage(bad.what, Some(bad.hint))
    }
}
