//! What people and programs get to see: data on standard output, everything else on standard error.

pub(crate) mod aside;
mod body;
pub(crate) mod budget;
pub(crate) mod cache;
pub(crate) mod error;
mod file;
pub(crate) mod footer;
mod json;
mod size;
mod time;
pub(crate) mod trail;
pub(crate) mod warnings;

pub(crate) use body::{Layout, headers, is_empty, write_body};
pub(crate) use file::Sink;
pub(crate) use size::size;
pub(crate) use time::span;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use crate::cli::{ColorChoice, Talk};

/// Where output goes, and how it looks there.
#[allow(clippy::struct_excessive_bools, reason = "answers to four questions that have nothing to do with each other")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) quiet: bool,
    pub(crate) verbose: u8,
    pub(crate) out_is_terminal: bool,
    color_out: bool,
    color_err: bool,
}

impl Screen {
    pub(crate) fn new(talk: &Talk) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let color = |terminal| wants_color(talk.color, terminal, |name| std::env::var_os(name));
        Self {
            quiet: talk.quiet,
            verbose: if talk.quiet { 0 } else { talk.verbose },
            out_is_terminal: out,
            color_out: color(out),
            color_err: color(err),
        }
    }

    /// Data.
    pub(crate) fn print(text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// JSON that we make ourselves.
    pub(crate) fn print_json(self, value: &impl serde::Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(value).map_err(io::Error::other)?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.out_is_terminal {
            json::indent(&text, self.color_out, &mut out)?;
        } else {
            out.write_all(&text)?;
        }
        out.write_all(b"\n")?;
        out.flush()
    }

    /// A remark, for whoever has not asked for quiet.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet {
            self.dim(text);
        }
    }

    /// Something that is said in any case.
    pub(crate) fn tell(self, label: &str, text: &str) {
        let (start, end) = if self.color_err { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        aside::write(format!("{start}{label}{end}{}", printable(text)));
    }

    /// Something that is not as it should be, but goes on.
    pub(crate) fn warn(self, text: &str) {
        if !self.quiet {
            self.tell("warning: ", text);
        }
    }

    pub(crate) fn dim(self, text: &str) {
        let (start, end) = if self.color_err { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        aside::write(format!("{start}{}{end}", printable(text)));
    }

    pub(crate) fn colors_out(self) -> bool {
        self.color_out
    }
}

/// A choice on the command line beats `NO_COLOR`, which counts when it is not empty, which beats `CLICOLOR_FORCE`.
fn wants_color(choice: ColorChoice, terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if is_set("NO_COLOR") => false,
        ColorChoice::Auto if is_set("CLICOLOR_FORCE") && variable("CLICOLOR_FORCE") != Some("0".into()) => true,
        ColorChoice::Auto => terminal && variable("TERM") != Some("dumb".into()),
    }
}

/// Text from elsewhere without what would steer a terminal.
fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.chars().all(harmless) {
        return text.into();
    }
    text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::type_complexity, reason = "a table")]
    fn colour_by_choice_then_variables_then_terminal() {
        use ColorChoice::{Always, Auto, Never};
        let table: [(ColorChoice, bool, &[(&str, &str)], bool); 9] = [
            (Auto, true, &[], true),
            (Auto, false, &[], false),
            (Auto, true, &[("NO_COLOR", "1")], false),
            (Auto, true, &[("NO_COLOR", "")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (Auto, true, &[("TERM", "dumb")], false),
            (Always, false, &[("NO_COLOR", "1")], true),
            (Never, true, &[("CLICOLOR_FORCE", "1")], false),
        ];
        for (choice, terminal, variables, expected) in table {
            let variable =
                |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
            assert_eq!(wants_color(choice, terminal, variable), expected, "{choice:?} {terminal} {variables:?}");
        }
    }

    #[test]
    fn a_terminal_is_not_steered() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\nc");
    }
}
