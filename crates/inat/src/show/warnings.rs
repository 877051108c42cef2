//! Warnings of the library: a damaged cache file that was set aside, a cache that has to be left out. They cost no answer,
//! but somebody should know.

use std::fmt::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::Screen;

/// From now on warnings are shown, unless quiet was asked for.
pub(crate) fn listen(screen: Screen) {
    if !screen.quiet {
        // It fails only where somebody listens already.
        let _ = tracing::subscriber::set_global_default(Warnings(screen));
    }
}

struct Warnings(Screen);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::WARN && metadata.target().starts_with("inat")
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let fields = if words.fields.is_empty() { String::new() } else { format!(" ({})", words.fields) };
        self.0.tell("warning: ", &format!("{}{fields}", words.message));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message, and the fields beside it.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
            return;
        }
        let separator = if self.fields.is_empty() { "" } else { ", " };
        // Writing to a text does not fail.
        let _ = write!(self.fields, "{separator}{}: {value:?}", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
