//! Where a body goes: standard output, or a file that appears when it is complete.

use std::fs::{File, OpenOptions};
use std::io::{self, StdoutLock, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::interrupt;

/// An open place for a body.
#[derive(Debug)]
pub(crate) enum Sink {
    Stdout(StdoutLock<'static>),
    /// A new file beside the one it will replace.
    Beside {
        temporary: Box<NamedTempFile>,
        target: PathBuf,
    },
    /// A device or pipe, which cannot be replaced.
    Direct(File, PathBuf),
}

impl Sink {
    /// Opens it before anything is sent: an answer that cannot be written anywhere should not be asked for.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            None => Ok(Self::stdout()),
            Some(path) if path.as_os_str() == "-" => Ok(Self::stdout()),
            Some(path) => open(path).map_err(|error| {
                // The kind only: the rest names the temporary file, which nobody asked for.
                let why = match error.kind() {
                    io::ErrorKind::NotFound => "its folder is not there".to_owned(),
                    kind => kind.to_string(),
                };
                let what = format!("{} cannot be written: {why}", path.display());
                Failure::usage(what, Some("name a file in a folder that is there and may be written to"))
            }),
        }
    }

    pub(crate) fn stdout() -> Self {
        Self::Stdout(io::stdout().lock())
    }

    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }

    /// Makes it complete: a file gets its name now.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let name = self.name();
        let completed = self.flush().and_then(|()| match self {
            Self::Stdout(_) | Self::Direct(..) => Ok(()),
            Self::Beside { temporary, target } => put_in_place(*temporary, &target),
        });
        completed.map_err(|error| Failure::files(name, error))
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "the output".to_owned(),
            Self::Beside { target, .. } | Self::Direct(_, target) => target.display().to_string(),
        }
    }
}

fn put_in_place(temporary: NamedTempFile, target: &Path) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    let persisted = temporary.persist(target).map_err(|problem| problem.error);
    interrupt::unfinished(None);
    persisted.map(drop)
}

fn open(path: &Path) -> io::Result<Sink> {
    // A link stays a link, and what it leads to is replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if target.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return Ok(Sink::Direct(OpenOptions::new().write(true).open(&target)?, path.to_owned()));
    }
    if target.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".inat-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(permissions(&target));
    let temporary = builder.tempfile_in(folder)?;
    interrupt::unfinished(Some(temporary.path().to_owned()));
    Ok(Sink::Beside { temporary: Box::new(temporary), target })
}

/// Those of the file that is replaced, or what any new file gets (the umask takes its share).
#[cfg(unix)]
fn permissions(target: &Path) -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    target.metadata().map_or_else(|_| std::fs::Permissions::from_mode(0o666), |there| there.permissions())
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::Beside { temporary, .. } => temporary.write(bytes),
            Self::Direct(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Beside { temporary, .. } => temporary.flush(),
            Self::Direct(file, _) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, "old").unwrap();
        let mut sink = Sink::open(Some(&path)).unwrap();
        sink.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        sink.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        drop(Sink::open(Some(&path)).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn no_folder_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Sink::open(Some(&folder.path().join("no/such.json"))).is_err());
        assert!(Sink::open(Some(folder.path())).is_err());
    }
}
