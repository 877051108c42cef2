//! This test program again, as a child that plays a part in the test of the same name. Nobody waits for it for ever, and it
//! ends with whoever started it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "tests; not every one uses everything"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const PART: &str = "INAT_SESSION_TEST_PART";
/// Longer than any child takes on a machine that does much else.
const ENOUGH: Duration = Duration::from_secs(120);

/// What this process was told to do by [`Actor::start`]: `None` in the process that runs the test.
pub fn part() -> Option<String> {
    std::env::var(PART).ok()
}

/// Says something to the parent.
#[allow(clippy::print_stdout, reason = "children speak on standard output")]
pub fn tell(what: &str) {
    // The test harness writes the name of the test before what the child says first.
    println!("\n@{what}");
    std::io::stdout().flush().unwrap();
}

/// Waits for the parent's word; `None` when it will say no more.
pub fn hear() -> Option<String> {
    let mut line = String::new();
    (std::io::stdin().read_line(&mut line).unwrap() > 0).then(|| line.trim().to_owned())
}

/// A process that ends with the test.
struct Guarded(Child);

impl Guarded {
    fn ends(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < ENOUGH, "the child does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program gives that has nothing to hear.
pub fn output(command: &mut Command) -> Output {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = Guarded(spawned.unwrap());
    let (stdout, stderr) = (all_of(child.0.stdout.take().unwrap()), all_of(child.0.stderr.take().unwrap()));
    let status = child.ends();
    let said = |all: Receiver<Vec<u8>>| all.recv_timeout(ENOUGH).expect("somebody else keeps it open");
    Output { status, stdout: said(stdout), stderr: said(stderr) }
}

/// Is read while the child goes on, which would wait for room otherwise.
fn all_of(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (tell, all) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        let _ = tell.send(bytes);
    });
    all
}

/// The child.
pub struct Actor {
    child: Guarded,
    words: Receiver<String>,
    hears: Option<ChildStdin>,
}

impl Actor {
    pub fn start(test: &str, part: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(PART, part);
        for name in ["DRY_RUN_ENABLED", "DRY_RUN_WRITE_ONLY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (said, hears) = (BufReader::new(child.stdout.take().unwrap()), child.stdin.take());
        let (tell, words) = channel();
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if let Some(word) = line.strip_prefix('@')
                    && tell.send(word.to_owned()).is_err()
                {
                    break;
                }
            }
        });
        Self { child: Guarded(child), words, hears }
    }

    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// The next word of the child; `None` when it has ended.
    pub fn word(&mut self) -> Option<String> {
        match self.words.recv_timeout(ENOUGH) {
            Ok(word) => Some(word),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the child says nothing for {ENOUGH:?}"),
        }
    }

    /// The next word of a child that has one to say.
    pub fn told(&mut self) -> String {
        self.word().expect("the child ended without a word")
    }

    /// Waits for a word that begins so, and gives what follows.
    pub fn wait_for(&mut self, beginning: &str) -> String {
        loop {
            if let Some(rest) = self.told().strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
        }
    }

    pub fn say(&mut self, what: &str) {
        let hears = self.hears.as_mut().unwrap();
        writeln!(hears, "{what}").unwrap();
        hears.flush().unwrap();
    }

    pub fn kill(&mut self) {
        self.child.0.kill().unwrap();
        self.child.ends();
    }

    pub fn ends_well(mut self) {
        self.hears = None;
        let status = self.child.ends();
        assert!(status.success(), "{status}");
    }
}
