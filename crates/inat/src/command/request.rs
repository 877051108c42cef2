//! `get`, `post` and their sisters: one request, its answer, and a line about where it came from.

use std::env::VarError;
use std::io::{Read, Write};
use std::path::Path;

use clap::ArgMatches;
use inat_session::blocking::Session;
use inat_session::{Error, Kind, Origin, Plan, Prepared, Request, Response, Token, is_dry_run_enabled};

use crate::cli::{Options, RequestArgs};
use crate::config::{self, Purpose, Wish};
use crate::failure::{Failure, Similar};
use crate::in_process::InProcess;
use crate::interrupt;
use crate::items::{self, Shape};
use crate::show::{self, Layout, Screen, Sink};

pub(super) fn run(
    method: &str,
    args: &RequestArgs,
    options: &Options,
    matches: &ArgMatches,
    screen: Screen,
) -> Result<(), Failure> {
    let wish = config::wish(matches, options)?;
    let request = request(method, args, options, wish, screen)?;
    let builder = show::trail::listen(config::builder(options, Purpose::Once)?, screen, Purpose::Once);
    let session = Session::from(builder.build()?);
    let asked = Asked { args, session: &session, screen };
    let prepared = asked.prepare(request, wish)?;
    if options.server.sandbox && prepared.url.host_str() != Some(InProcess::HOST) {
        let what = format!("with --sandbox nothing leaves this process, and {} is elsewhere", prepared.url.authority());
        return Err(Failure::usage(what, Some("leave --sandbox out, or give a path: inat --sandbox get taxa")));
    }
    show::trail::request(screen, &prepared);
    asked.send(&prepared)
}

/// The request as the command line says it.
fn request(
    method: &str,
    args: &RequestArgs,
    options: &Options,
    wish: Option<Wish>,
    screen: Screen,
) -> Result<Request, Failure> {
    one_reader_of_stdin(args)?;
    let mut request = Request::new(method, &args.target);
    if let Some(path) = &args.body {
        request = request.bytes("application/json", body(path)?);
    }
    let items = args.items.iter().map(|word| items::parse(word)).collect::<Result<Vec<_>, _>>()?;
    if items.iter().any(items::Item::is_credential) && !args.items.iter().any(|word| word.contains(":@")) {
        screen.warn("who can list processes can read a token on the command line; put it into INAT_TOKEN, or a file: Authorization:@FILE");
    }
    request = items::apply(request, items, if args.form { Shape::Form } else { Shape::Json })?;
    if !args.ids.is_empty() {
        request = request.ids(ids(&args.ids)?);
    }
    if args.allow_str_ids {
        request = request.allow_str_ids();
    }
    if let Some(token) = token(args)? {
        request = request.token(&token);
    }
    if args.idempotent {
        request = request.idempotent();
    }
    // An empty answer is only known to be one when it is there as a whole.
    if args.stream && !args.fail_empty {
        request = request.stream();
    }
    request = request.allow_redirects(args.follow);
    request = config::shape(request, options, wish);
    Ok(if args.as_curl { request.dry_run(true) } else { request })
}

/// Standard input can be read once.
fn one_reader_of_stdin(args: &RequestArgs) -> Result<(), Failure> {
    let readers = [
        args.with_token,
        args.ids.iter().any(|id| id == "-"),
        args.body.as_deref() == Some(Path::new("-")),
        args.items.iter().any(|item| item.ends_with("@-")),
    ];
    match readers.into_iter().filter(|reads| *reads).count() {
        0 | 1 => Ok(()),
        _ => Err(Failure::usage(
            "two things are to be read from standard input",
            Some("put one into a file, or the token into INAT_TOKEN"),
        )),
    }
}

fn token(args: &RequestArgs) -> Result<Option<Token>, Failure> {
    /// Longer than any token.
    const LONGEST: u64 = 64 << 10;
    if !args.with_token {
        // One that cannot be read must not quietly become none: the server would answer as to a stranger.
        if std::env::var("INAT_TOKEN").is_err_and(|problem| problem != VarError::NotPresent) {
            return Err(Failure::usage(
                "INAT_TOKEN has characters that no token has",
                Some("copy it anew from https://www.inaturalist.org/users/api_token"),
            ));
        }
        return Ok(Token::from_env("INAT_TOKEN"));
    }
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::files("the token on standard input", error))?;
    match text.trim() {
        "" => Err(Failure::usage(
            "there is no token on standard input",
            Some("pipe it in: inat get users/me --with-token < token.txt"),
        )),
        token => Ok(Some(Token::new(token))),
    }
}

fn ids(given: &[String]) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    for id in given {
        if id.trim() != "-" {
            ids.push(id.trim().to_owned());
            continue;
        }
        let text = std::io::read_to_string(std::io::stdin().lock())
            .map_err(|error| Failure::files("the ids on standard input", error))?;
        ids.extend(text.split([',', ' ', '\t', '\r', '\n']).map(str::to_owned));
    }
    ids.retain(|id| !id.is_empty());
    if ids.is_empty() {
        return Err(Failure::usage("--ids names no record", Some("write --ids 1,2,3, or `--ids -` and one a line")));
    }
    Ok(ids)
}

fn body(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => {
            Err(Failure::usage(format!("{} cannot be read: {error}", path.display()), Some("name a file for --body")))
        }
    }
}

fn is_rehearsal(prepared: &Prepared) -> bool {
    prepared.options.dry_run.unwrap_or_else(|| is_dry_run_enabled(&prepared.method))
}

/// One request on its way.
struct Asked<'a> {
    args: &'a RequestArgs,
    session: &'a Session,
    screen: Screen,
}

impl Asked<'_> {
    fn prepare(&self, request: Request, wish: Option<Wish>) -> Result<Prepared, Failure> {
        let mut prepared = self.session.prepare(&request)?;
        // A rehearsal must not mark a version as used.
        if wish == Some(Wish::Newest) && prepared.method.is_safe() && !is_rehearsal(&prepared) {
            prepared = self.session.newest(request).and_then(|request| self.session.prepare(&request))?;
        }
        Ok(prepared)
    }

    fn send(&self, prepared: &Prepared) -> Result<(), Failure> {
        let _sends = interrupt::sends(self.session);
        interrupt::watch();
        let mut sink = match self.args.output.as_deref() {
            Some(path) if !is_rehearsal(prepared) => Sink::open(Some(path))?,
            _ => Sink::stdout(),
        };
        let response = match self.session.send(prepared) {
            Ok(response) => response,
            Err(error) => return Err(self.failed(prepared, error, sink)),
        };
        if let Origin::DryRun(plan) = response.origin() {
            return self.show_plan(plan);
        }
        show::trail::response(self.screen, &response);
        let seen = response.clone();
        if prepared.method == http::Method::HEAD {
            writeln!(sink, "{}", show::headers(&response))?;
        } else {
            show::write_body(self.screen, response, self.layout(), &mut sink)?;
        }
        sink.finish()?;
        self.footer(&seen);
        self.settle(&seen);
        if self.args.fail_empty && show::is_empty(&seen) { Err(Failure::Empty) } else { Ok(()) }
    }

    fn show_plan(&self, plan: &Plan) -> Result<(), Failure> {
        self.screen.say(&plan.to_string());
        if self.args.as_curl {
            Screen::print(plan.as_curl())?;
        }
        Ok(())
    }

    fn footer(&self, response: &Response) {
        if self.screen.quiet {
            return;
        }
        // A cached answer took nothing from the budget, and should not have to open it.
        let budget = match response.origin().attempts() {
            0 => Vec::new(),
            _ => self.session.budget().unwrap_or_default(),
        };
        self.screen.dim(&show::footer::line(response, &budget));
    }

    /// Lets work in the background finish: an answer served while it is refreshed is why there may be some. And what a write has
    /// outdated may still have to be removed, where another program kept the cache locked.
    fn settle(&self, response: &Response) {
        let wrote = !response.method().is_safe();
        if wrote || matches!(response.origin(), Origin::Stale { .. }) || response.bytes().is_err() {
            // It only says that this is no place to wait, and it is one.
            let _ = self.session.close();
        }
    }

    /// The body of an error answer is data all the same; a file that was to be replaced stays as it is.
    fn failed(&self, prepared: &Prepared, error: Error, sink: Sink) -> Failure {
        drop(sink);
        let similar = matches!(error.kind(), Kind::NotCached).then(|| self.similar(prepared)).flatten();
        if let Some(response) = error.clone().into_response() {
            show::trail::response(self.screen, &response);
            let written = show::write_body(self.screen, response, self.layout(), &mut Sink::stdout());
            if let Err(problem) = written
                && !problem.is_closed_pipe()
            {
                return problem;
            }
        }
        Failure::Session { error: Box::new(error), similar }
    }

    /// Whether answers of the same path, with other parameters, are cached.
    fn similar(&self, prepared: &Prepared) -> Option<Similar> {
        let pattern = format!("{}{}", prepared.url.authority(), prepared.url.path());
        let count = self.session.cache().list(Some(&pattern), 100).ok()?.len();
        (count > 0).then_some(Similar { count, pattern })
    }

    fn layout(&self) -> Layout {
        match (self.args.pretty, self.args.raw) {
            (true, _) => Layout::Indented,
            (false, true) => Layout::AsItCame,
            (false, false) => Layout::Auto,
        }
    }
}
