//! `-v`: what happens on the way, stage by stage; and long waits, for everybody.

use inat_session::{Event, Prepared, Response, SessionBuilder, Stage, format_request, format_response};

use super::{Screen, span};
use crate::config::{LONG_WAIT, Purpose};

/// Lets a session tell what it does.
pub(crate) fn listen(builder: SessionBuilder, screen: Screen, purpose: Purpose) -> SessionBuilder {
    if screen.quiet {
        return builder;
    }
    builder.on_event(move |event| {
        if screen.verbose > 0 {
            screen.dim(&line(event, purpose));
        } else if let Some(text) = wait(event, purpose) {
            screen.dim(&text);
        }
    })
}

/// A service has many requests under way, so it says which.
fn line(event: &Event, purpose: Purpose) -> String {
    match purpose {
        Purpose::Once => event.to_string(),
        Purpose::Service => format!("{event}   {} {}", event.method, event.url),
    }
}

fn wait(event: &Event, purpose: Purpose) -> Option<String> {
    let wait = event.wait.filter(|wait| *wait >= LONG_WAIT)?;
    let what = match event.stage {
        // It says how long by itself.
        Stage::Limit => event.what.clone(),
        _ => format!("waits {}: {}", span(wait), event.what),
    };
    Some(match purpose {
        Purpose::Once => format!("{what} · Ctrl-C gives up"),
        // There it would end the gateway.
        Purpose::Service => what,
    })
}

/// The request, before it is sent.
pub(crate) fn request(screen: Screen, prepared: &Prepared) {
    if screen.verbose == 0 {
        return;
    }
    screen.dim(&format!(
        "{:<10} {} {}   as {}",
        "prepare",
        prepared.method,
        inat_session::mask_url(&prepared.url),
        prepared.identity
    ));
    let text = match screen.verbose {
        1 => return,
        2 => format_request(prepared, false, None).split("\n\n").next().unwrap_or_default().to_owned(),
        _ => format_request(prepared, false, None),
    };
    screen.dim(&text);
}

/// The answer, without its body, which goes to standard output.
pub(crate) fn response(screen: Screen, response: &Response) {
    if screen.verbose >= 2 {
        screen.dim(&format_response(response, std::time::SystemTime::now().into()));
    }
}
