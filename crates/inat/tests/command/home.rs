//! A home folder that is thrown away, and the command run in it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use inat_sandbox::{Config, Sandbox};

/// Longer than any run takes on a machine that does much else: what takes longer never ends.
pub(crate) const ENOUGH: Duration = Duration::from_secs(60);

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|problem| panic!("{problem}: {self:?}"))
    }
}

pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The command, with nothing of the real environment.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::from_std(self.process(words));
        command.timeout(ENOUGH);
        command
    }

    /// The same for [`Started::of`].
    pub(crate) fn process(&self, words: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_inat"));
        command.env_clear().env("INAT_HOME", self.path()).env("HOME", self.path()).current_dir(self.path());
        command.args(words);
        command
    }

    pub(crate) fn start(&self, words: &[&str]) -> Started {
        Started::of(&mut self.process(words))
    }

    pub(crate) fn run(&self, words: &[&str]) -> Run {
        finish(&mut self.command(words))
    }

    /// Against the sandbox inside the command.
    pub(crate) fn sandboxed(&self, words: &[&str]) -> Run {
        finish(self.command(words).env("INAT_SANDBOX", "1"))
    }

    /// Against this sandbox.
    pub(crate) fn at(&self, sandbox: &Sandbox, words: &[&str]) -> Run {
        finish(self.command(words).env("INAT_API_URL", sandbox.base_url()))
    }

    /// Whether a text is in any file here, in whatever folder.
    pub(crate) fn holds(&self, text: &str) -> Option<PathBuf> {
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
                    return Some(path);
                }
            }
        }
        None
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A run that goes on beside the test, and ends with it.
pub(crate) struct Started {
    child: Child,
    said: Receiver<String>,
}

impl Started {
    pub(crate) fn of(command: &mut std::process::Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // Holds nothing: what the test does not ask for stays in the pipe.
        let (tell, said) = sync_channel(0);
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, said }
    }

    /// Nobody reads its standard output.
    pub(crate) fn unread(mut self) -> Self {
        drop(self.child.stdout.take());
        self
    }

    /// The next line of what it says; `None` when it will say no more.
    pub(crate) fn line(&mut self) -> Option<String> {
        match self.said.recv_timeout(ENOUGH) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it says nothing for {ENOUGH:?}"),
        }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end, and for what it says until then.
    pub(crate) fn end(mut self) -> Run {
        let err = std::iter::from_fn(|| self.line()).collect::<Vec<_>>().join("\n");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < ENOUGH, "it does not end");
            std::thread::sleep(Duration::from_millis(1));
        };
        Run { code: status.code().unwrap_or_else(|| panic!("{status}: {err}")), out: String::new(), err }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap_or_else(|| panic!("{output:?}")),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::start(Config { observations: 500, ..Config::default() }).unwrap()
}
