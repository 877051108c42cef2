//! What a row is written in. One line says one thing:
//!
//! ```text
//! GET /a | accept: x        the client asks (the path is /a where none is named)
//! ? if-none-match: "1"      … and the origin sees these fields; `!name` is one it does not see
//! < 200 one | etag: "1"     … and answers with this status, body and fields
//! < cut one | …             … or breaks off after this body; `< refused`, `< reset`: no answer
//! ~ 304 | …                 the same, but in the background, after the client has its answer
//! = 200 one | age: 5        what the client gets; `!name` is a field it does not get, `-` an empty body
//! +60                       time passes
//! ```
//!
//! A question without `<` or `~` must not reach the origin. `{-60}` is the HTTP date 60 seconds before the row began.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use inat_session::cache::Identity;
use inat_session::{
    Clock, Fault, Freshness, Incoming, Origin, Outgoing, Prepared, Response, Sending, Session, SessionBuilder,
    Timestamp, Transport, blocking,
};

const HOST: &str = "http://origin.test";

/// Runs all rows, each with a cache in memory and one in a file, and says which failed and where.
pub(crate) fn check(rows: &[(&str, &str)]) {
    check_with(rows, |builder| builder);
}

pub(crate) fn check_with(rows: &[(&str, &str)], set: impl Fn(SessionBuilder) -> SessionBuilder) {
    let mut failures = Vec::new();
    for (name, script) in rows {
        let folder = tempfile::tempdir().unwrap();
        let in_file = |builder: SessionBuilder| builder.cache_file(folder.path().join("cache.db")).memory_tier(0);
        for (place, builder) in
            [("memory", Session::builder().cache_in_memory()), ("file", in_file(Session::builder()))]
        {
            if let Err(problem) = Play::new(&set, builder).run(script) {
                failures.push(format!("{name} ({place})\n    {problem}"));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} rows failed:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

struct Play {
    session: blocking::Session,
    origin: Server,
    clock: Clock,
    start: Timestamp,
}

/// One question with all that belongs to it.
#[derive(Default)]
struct Step<'a> {
    line: &'a str,
    sees: Vec<(usize, &'a str)>,
    gets: Option<&'a str>,
    answers: usize,
    background: usize,
}

impl Play {
    fn new(set: impl Fn(SessionBuilder) -> SessionBuilder, builder: SessionBuilder) -> Self {
        let (clock, origin) = (Clock::manual(), Server::default());
        let builder = builder.headers_only().plain().check_json(false).max_retries(0).unlimited().budget_in_memory();
        let session = set(builder.transport(origin.clone()).clock(clock.clone())).build().unwrap().into();
        Self { session, origin, start: clock.now(), clock }
    }

    fn run(&self, script: &str) -> Result<(), String> {
        let mut step = Step::default();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let rest = line[1..].trim();
            match &line[..1] {
                "?" => step.sees.push(((step.answers + step.background), rest)),
                "<" | "~" => {
                    self.origin.0.lock().unwrap().plays.push_back(self.act(rest));
                    *(if line.starts_with('<') { &mut step.answers } else { &mut step.background }) += 1;
                }
                "=" => step.gets = Some(rest),
                "+" => {
                    self.ask(std::mem::take(&mut step))?;
                    self.clock.advance(Duration::from_secs(rest.parse().unwrap()));
                }
                _ => {
                    self.ask(std::mem::take(&mut step))?;
                    step.line = line;
                }
            }
        }
        self.ask(step)
    }

    fn ask(&self, step: Step<'_>) -> Result<(), String> {
        if step.line.is_empty() {
            return Ok(());
        }
        let before = self.origin.seen().len();
        let prepared = self.prepared(step.line);
        let answer = self.session.send(&prepared);
        let mut body = Vec::new();
        if let Ok(answer) = &answer {
            answer.clone().into_reader().read_to_end(&mut body).ok();
        }
        let said = |problem: String| Err(format!("{}: {problem}", step.line));
        if step.background > 0 {
            self.settle(&prepared, before + step.answers + step.background);
        }
        let seen = self.origin.seen().split_off(before);
        if seen.len() != step.answers + step.background {
            let fields: Vec<_> = seen.iter().map(|(method, fields)| format!("{method} {fields:?}")).collect();
            self.origin.0.lock().unwrap().plays.clear();
            return said(format!("the origin was asked {} times: {}", seen.len(), fields.join("; ")));
        }
        for (number, wanted) in step.sees {
            let (_, fields) = seen.get(number).ok_or("`?` stands before the answer it is about")?;
            if let Some(problem) = self.differs(fields, wanted) {
                return said(format!("the origin saw {problem}"));
            }
        }
        match (step.gets, answer) {
            (None, _) | (Some("error"), Err(_)) => Ok(()),
            (Some("error"), Ok(answer)) => said(format!("got {}", answer.status())),
            (Some(_), Err(error)) => said(format!("got an error: {error}")),
            (Some(wanted), Ok(answer)) => self.is_answered(&answer, &body, wanted).or_else(said),
        }
    }

    fn is_answered(&self, answer: &Response, got: &[u8], wanted: &str) -> Result<(), String> {
        let (head, fields) = wanted.split_once(" | ").unwrap_or((wanted, ""));
        let (status, body) = head.split_once(' ').map_or((head, None), |(status, body)| (status, Some(body.trim())));
        if answer.status().as_str() != status {
            return Err(format!("got {} from {}", answer.status(), answer.origin()));
        }
        let text = String::from_utf8_lossy(got);
        if let Some(body) = body
            && text != (if body == "-" { "" } else { body })
        {
            return Err(format!("got the body {text:?} from {}", answer.origin()));
        }
        self.differs(answer.headers(), fields).map_or(Ok(()), |problem| Err(format!("got {problem}")))
    }

    /// What of these fields is not as wanted.
    fn differs(&self, fields: &HeaderMap, wanted: &str) -> Option<String> {
        let wanted: Vec<_> = wanted.split(" | ").map(str::trim).filter(|one| !one.is_empty()).collect();
        wanted.iter().find_map(|one| {
            if let Some(absent) = one.strip_prefix('!') {
                return fields.contains_key(absent).then(|| format!("{absent}: {:?}", fields[absent]));
            }
            let (name, _) = one.split_once(':').unwrap();
            let all: HeaderMap =
                self.fields(&wanted.iter().filter(|one| !one.starts_with('!')).copied().collect::<Vec<_>>());
            let expected: Vec<_> = all.get_all(name.trim()).iter().collect();
            let got: Vec<_> = fields.get_all(name.trim()).iter().collect();
            (got != expected).then(|| format!("{name}: {got:?}, and not {expected:?}"))
        })
    }

    /// Waits until what was refreshed in the background is stored, and the refresh has ended: else the next one would join it.
    fn settle(&self, prepared: &Prepared, seen: usize) {
        let mut again = prepared.clone();
        again.options.freshness = Freshness::OnlyIfCached;
        let start = Instant::now();
        while self.origin.seen().len() < seen
            || !self.session.as_async().is_idle()
            || !self.session.send(&again).is_ok_and(|found| matches!(found.origin(), Origin::Cached { .. }))
        {
            if start.elapsed() > Duration::from_secs(20) {
                return;
            }
            std::thread::yield_now();
        }
    }

    fn prepared(&self, line: &str) -> Prepared {
        let mut parts = line.split(" | ");
        let (method, path) = parts.next().map(|first| first.split_once(' ').unwrap_or((first, "/a"))).unwrap();
        let mut request = http::Request::new(Bytes::new());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        let target = if path.starts_with('/') { format!("{HOST}{path}") } else { path.to_owned() };
        *request.uri_mut() = target.parse().unwrap();
        *request.headers_mut() = self.fields(&parts.collect::<Vec<_>>());
        let credentials = request.headers().get(header::AUTHORIZATION);
        let identity = credentials.map_or(Identity::Anonymous, |value| Identity::of_credentials(value.as_bytes()));
        let mut prepared = Prepared::raw(request, identity).unwrap();
        prepared.options.raise_for_status = false;
        prepared.options.redirects = 0;
        prepared.options.dry_run = Some(false);
        prepared
    }

    fn act(&self, text: &str) -> Act {
        let mut parts = text.split(" | ");
        let head = parts.next().unwrap_or_default();
        let (what, body) = head.split_once(' ').unwrap_or((head, ""));
        let (headers, body) = (self.fields(&parts.collect::<Vec<_>>()), Bytes::copy_from_slice(body.trim().as_bytes()));
        match what {
            "refused" => Act::Fail(Fault::Connect("refused".to_owned())),
            "reset" => Act::Fail(Fault::Reset("closed without an answer".to_owned())),
            "cut" => Act::Answer { status: StatusCode::OK, headers, body, cut: true },
            status => Act::Answer { status: status.parse().unwrap(), headers, body, cut: false },
        }
    }

    fn fields(&self, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            let value = HeaderValue::from_bytes(self.fill(value.trim()).as_bytes()).unwrap();
            headers.append(HeaderName::from_bytes(name.trim().as_bytes()).unwrap(), value);
        }
        headers
    }

    fn fill(&self, text: &str) -> String {
        let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
        let (offset, after) = rest.split_once('}').unwrap();
        let at = self.start.as_secs() + offset.parse::<i64>().unwrap();
        let moment = jiff::Timestamp::from_second(at).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        format!("{before}{}{}", moment.strftime("%a, %d %b %Y %H:%M:%S GMT"), self.fill(after))
    }
}

/// An origin that does as it is told, once each, and notes what it was asked.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    plays: VecDeque<Act>,
    seen: Vec<(Method, HeaderMap)>,
}

enum Act {
    Answer { status: StatusCode, headers: HeaderMap, body: Bytes, cut: bool },
    Fail(Fault),
}

impl Server {
    fn seen(&self) -> Vec<(Method, HeaderMap)> {
        self.0.lock().unwrap().seen.clone()
    }
}

impl Transport for Server {
    fn send(&self, outgoing: Outgoing) -> Sending<'_> {
        let mut state = self.0.lock().unwrap();
        state.seen.push((outgoing.request.method().clone(), outgoing.request.headers().clone()));
        let act = state.plays.pop_front();
        Box::pin(async move {
            match act {
                None => Err(Fault::Other("nobody expected this".to_owned())),
                Some(Act::Fail(fault)) => Err(fault),
                Some(Act::Answer { status, headers, body, cut }) => {
                    let mut incoming = Incoming::new(status, headers, body);
                    if cut {
                        let end = Fault::Truncated("less than was announced".to_owned());
                        incoming.body = Box::pin(incoming.body.chain(stream::iter([Err(end)])));
                    }
                    Ok(incoming)
                }
            }
        })
    }
}

/// A row that is wrong in any one respect fails.
#[test]
fn wrong_rows_fail() {
    let right = "GET | x: 1\n ? x: 1 | !y\n < 200 one | cache-control: max-age=1, stale-while-revalidate=9 | z: 1
                 = 200 one | z: 1 | !w\n +2\n GET\n ? !x\n ~ 200 two | cache-control: max-age=9\n = 200 one | age: 2\n GET\n = 200 two";
    let run = |script: &str| Play::new(|builder| builder, Session::builder().cache_in_memory()).run(script);
    assert_eq!(run(right), Ok(()));
    for (part, wrong) in [
        ("? x: 1", "? x: 2"),
        ("| !y", "| !x"),
        ("= 200 one | z: 1", "= 201 one | z: 1"),
        ("= 200 one | z: 1", "= 200 two | z: 1"),
        ("= 200 one | z: 1", "= 200 one | z: 2"),
        ("= 200 one | z: 1", "= error"),
        ("| !w", "| !z"),
        ("| z: 1\n", "| z: 1 | z: 1\n"),
        ("? !x\n ~", "? if-none-match: \"1\"\n ~"),
        ("| age: 2", "| age: 3"),
        ("GET\n = 200 two", "GET\n = 200 one"),
        ("GET\n = 200 two", "GET\n < 200 two\n = 200 two"),
        ("+2", "+20"),
    ] {
        assert!(right.contains(part), "{part}");
        assert!(run(&right.replacen(part, wrong, 1)).is_err(), "{wrong}");
    }
}
