//! A home folder that is thrown away, and the command run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use inat_sandbox::{Config, Sandbox};

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
        let mut command = Command::new(env!("CARGO_BIN_EXE_inat"));
        command.env_clear().env("INAT_HOME", self.path()).env("HOME", self.path()).current_dir(self.path());
        command.args(words).timeout(Duration::from_secs(60));
        command
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
