//! Secrets: not in files, not in errors, not in logs, not in anything that prints.

use std::io::Write;
use std::sync::{Arc, Mutex};

use inat_session::{Clock, Error, Fault, Request, Script, Session, Token, Upload, format_request, format_response};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{BODY, JSON, contains, files, offline, scripted, waits};

const SECRET: &str = "S3CR3T";

/// A request with a secret in every place one can be.
fn full_of_secrets() -> Request {
    Request::post("https://me:S3CR3T@127.0.0.1:9/v1/x?access_token=S3CR3T&Client_Secret=S3CR3T#token=S3CR3T")
        .query("password", SECRET)
        .header("X-Api-Key", SECRET)
        .header("COOKIE", "session=S3CR3T")
        .header("authorization", "Bearer S3CR3T")
        .json(&serde_json::json!({"user": {"password": SECRET, "Client-Secret": SECRET}, "assertion": SECRET}))
}

fn clean(what: &str, text: &str) {
    assert!(!text.contains(SECRET), "{what}: {text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn what_prints_a_request() {
    let (inat, clock) = scripted(&Script::new().answer(200, &[JSON, ("set-cookie", "s=S3CR3T")], BODY));
    let token = Token::new(SECRET);
    clean("token", &format!("{token} {token:?}"));
    for request in [full_of_secrets(), Request::get("x").token(&token), form()] {
        clean("request", &format!("{request:?}"));
        let prepared = inat.prepare(&request).unwrap();
        clean("prepared", &format!("{prepared:?}"));
        clean("text", &format_request(&prepared, false, None));
        let plan = inat.plan(&request).unwrap();
        clean("plan", &format!("{plan} {plan:?} {}", plan.as_curl()));
        let dry = inat.send(request.clone().dry_run(true)).unwrap();
        clean("dry run", &format!("{dry:?} {:?} {}", dry.origin(), format_response(&dry, clock.now())));
        let answer = inat.send(&request).unwrap();
        clean("answer", &format!("{answer:?} {} {}", answer.shown_url(), format_response(&answer, clock.now())));
    }
    let builder = Session::builder()
        .token(token)
        .header("Authorization", "Bearer S3CR3T")
        .base_url("https://me:S3CR3T@h.example/");
    clean("builder", &format!("{builder:?}"));
    clean("session", &format!("{:?}", builder.cache_in_memory().budget_in_memory().build().unwrap()));
}

fn form() -> Request {
    let signed = "https://photos.example/a.jpg?signature=S3CR3T";
    Request::post("https://127.0.0.1:9/v1/x").form("password", SECRET).file(Upload::url(signed)).dry_run(true)
}

fn every_error() -> Vec<Error> {
    let jwt = format!("eyJhbGciOi.eyJ1c2VyX2lk.{SECRET}");
    let says = serde_json::json!({"error": format!("the token {jwt} is not good, Bearer {SECRET}")}).to_string();
    let fault = |text: &str| Script::new().fail(Fault::Connect(text.to_owned()));
    let scripts = [
        Script::new().answer(401, &[JSON, ("www-authenticate", "S3CR3T")], says),
        Script::new().answer(503, &[], SECRET),
        Script::new().answer(429, &[("retry-after", "99999")], ""),
        Script::new().answer(200, &[JSON], format!("{{\"{SECRET}\"")),
        Script::new().answer(302, &[("location", "/x?access_token=S3CR3T")], ""),
        Script::new().answer(302, &[("location", "ftp://me:S3CR3T@h/")], ""),
        fault("refused"),
    ];
    let mut errors: Vec<Error> = scripts
        .iter()
        .map(|script| scripted(script).0.send(full_of_secrets().allow_redirects(true)).unwrap_err())
        .collect();
    let (inat, _) = scripted(&Script::new());
    errors.extend(
        [
            full_of_secrets().query("page", 0),
            full_of_secrets().only_if_cached(),
            Request::get("https://me:S3CR3T@h.example:99999/?token=S3CR3T"),
            Request::get("x").header("Authorization: Bearer S3CR3T", "x"),
            Request::get("x").header("authorization", "Bearer S3CR3T\r\nX: y"),
            Request::get("x").token(&Token::new("S3CR3T\n")).header("bad name", SECRET),
            Request::get("http://h.example/").token(&Token::new(SECRET)),
            Request::new("GET S3CR3T", "x"),
        ]
        .into_iter()
        .filter_map(|request| inat.send(request).err()),
    );
    errors
}

#[test]
fn what_prints_an_error() {
    let errors = every_error();
    assert!(errors.len() >= 13, "{}", errors.len());
    for error in errors {
        clean("display", &error.to_string());
        clean("debug", &format!("{error:?} {error:#?}"));
        clean("hint", error.hint().unwrap_or_default());
        clean("kind", &format!("{} {:?}", error.kind(), error.kind()));
        clean("source", &format!("{:?}", std::error::Error::source(&error)));
        clean("url", error.url().unwrap_or_default());
    }
}

#[test]
fn what_is_logged_and_told() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(log.clone())
        .finish();
    // For every thread: the session works on threads of its own.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    every_error();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual();
    let script = Script::new().answer(503, &[], "").answer(429, &[], "").answer(
        200,
        &[JSON, ("location", "/y?token=S3CR3T"), ("set-cookie", "s=S3CR3T")],
        BODY,
    );
    let inat = waits(
        offline(script, &clock)
            .cache_file(folder.path().join("cache.db"))
            .ratelimit_path(folder.path().join("budget.db"))
            .on_event(move |event| ears.lock().unwrap().push(format!("{event} {event:?}"))),
    );
    for request in
        [full_of_secrets(), full_of_secrets().dry_run(true), Request::get("x?token=S3CR3T").token(&Token::new(SECRET))]
    {
        inat.send(request.idempotent()).unwrap();
    }
    inat.close().unwrap();
    let heard = heard.lock().unwrap().join("\n");
    assert!(heard.contains("503") && heard.contains("127.0.0.1:9"), "{heard}");
    clean("events", &heard);
    let log = log.0.lock().unwrap();
    assert!(contains(&log, "inat_session") && log.len() > 1000, "{}", String::from_utf8_lossy(&log));
    clean("log", &String::from_utf8_lossy(&log));
}

#[test]
fn what_reaches_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual();
    let script = Script::new().answer(
        200,
        &[JSON, ("vary", "Authorization, Cookie, X-Api-Key"), ("etag", "\"1\""), ("cache-control", "max-age=600")],
        BODY,
    );
    let open = || {
        waits(
            offline(script.clone(), &clock)
                .cache_file(folder.path().join("cache.db"))
                .ratelimit_path(folder.path().join("budget.db"))
                .unlimited()
                .per_minute(60.0),
        )
    };
    let inat = open();
    let mut read = full_of_secrets();
    "GET".clone_into(&mut read.method);
    let by_token =
        Request::get("observations?access_token=S3CR3T").token(&Token::new(SECRET)).header("X-Api-Key", SECRET);
    for request in [read.clone(), by_token.clone()] {
        inat.send(request).unwrap();
    }
    inat.newest(Request::get("projects/1?token=S3CR3T")).unwrap();
    assert!(inat.send(by_token.clone()).unwrap().is_from_cache(), "it is really kept");
    for while_open in [true, false] {
        if !while_open {
            inat.close().unwrap();
        }
        let files = files(folder.path());
        assert!(files.iter().any(|(name, bytes)| name.contains("cache.db") && bytes.len() > 1000));
        assert!(files.iter().any(|(name, _)| name.contains("budget.db")));
        for (name, bytes) in files {
            assert!(!contains(&bytes, SECRET), "{name}, open: {while_open}");
        }
    }
    assert!(open().send(by_token).unwrap().is_from_cache(), "and found by the next session");
    let listed = open().cache().list(None, 10).unwrap();
    assert_eq!(listed.len(), 2);
    clean("list", &format!("{listed:?}"));
}

/// What cannot be read as a URL may hold a password all the same.
#[test]
fn a_target_that_is_no_url_shows_no_password() {
    for target in ["http://u:s3cret@[bad/", "http://u:s3cret@[bad/?access_token=s3cret", "taxa?access_token=s3cret"] {
        let request = inat_session::Request::get(target);
        assert!(!format!("{request:?}").contains("s3cret"), "{request:?}");
    }
}
