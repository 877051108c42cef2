//! Files to upload: checked when the request is prepared, read when it is sent.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::stage::Stage;
use crate::{Error, Kind, MAX_UPLOAD, Upload, UploadSource};

/// A file whose bytes are here.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// The name of the form field.
    pub(crate) field: String,
    /// What the server is told the file is called.
    pub(crate) file_name: String,
    /// Its media type.
    pub(crate) content_type: String,
    /// Its bytes.
    pub(crate) bytes: Bytes,
}

/// What there is of a file before the network is asked.
#[derive(Debug)]
pub(crate) enum Found {
    /// All of it.
    Loaded(Loaded),
    /// Nothing yet: it has to be fetched from here, then made whole with [`Loaded::fetched`].
    Elsewhere(Url),
}

/// What can be said of a file without reading it.
pub(crate) fn check(upload: &Upload) -> Result<(), Error> {
    match &upload.source {
        UploadSource::Path(path) if path.as_os_str().is_empty() => {
            Err(refused("the path of the file to upload is empty", "name a file"))
        }
        UploadSource::Path(_) => Ok(()),
        UploadSource::Bytes(bytes) => within_limit(len(bytes), MAX_UPLOAD, upload.file_name.as_deref().unwrap_or("it")),
        UploadSource::Url(text) => address(text).map(drop),
        UploadSource::Unreadable(reason) => {
            Err(refused(format!("the file to upload cannot be read: {reason}"), "open it anew, or name its path"))
        }
    }
}

/// Reads a file, never more than [`MAX_UPLOAD`] and one byte of it. This blocks on the disk.
pub(crate) fn load(upload: &Upload) -> Result<Found, Error> {
    check(upload)?;
    let (bytes, name) = match &upload.source {
        UploadSource::Path(path) => {
            let path = at_home(path)?;
            (read(&path, MAX_UPLOAD)?, path.file_name().map(|name| name.to_string_lossy().into_owned()))
        }
        UploadSource::Bytes(bytes) => (bytes.clone(), None),
        UploadSource::Url(text) => return address(text).map(Found::Elsewhere),
        UploadSource::Unreadable(reason) => return Err(refused(reason.clone(), "open it anew, or name its path")),
    };
    Ok(Found::Loaded(Loaded::new(upload, name, None, bytes)))
}

impl Loaded {
    /// A file that was fetched. It is called what the upload says, or else as the last segment of its URL; its type is the
    /// one it was served with, unless that says nothing.
    pub(crate) fn fetched(upload: &Upload, url: &Url, content_type: Option<&str>, bytes: Bytes) -> Result<Self, Error> {
        let name = url.path_segments().and_then(|mut segments| segments.rfind(|segment| !segment.is_empty()));
        let name = name.map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned());
        within_limit(len(&bytes), MAX_UPLOAD, name.as_deref().unwrap_or("it"))?;
        Ok(Self::new(upload, name, content_type, bytes))
    }

    fn new(upload: &Upload, name: Option<String>, content_type: Option<&str>, bytes: Bytes) -> Self {
        let file_name = upload.file_name.clone().or(name).unwrap_or_else(|| "file".to_owned());
        let served = content_type.map(str::trim).filter(|served| {
            let says_something = !served.is_empty() && !served.starts_with("application/octet-stream");
            says_something && HeaderValue::from_str(served).is_ok_and(|value| value.to_str().is_ok())
        });
        let content_type =
            served.map_or_else(|| mime_guess::from_path(&file_name).first_or_octet_stream().to_string(), str::to_owned);
        Self { field: upload.field.clone(), file_name, content_type, bytes }
    }
}

impl fmt::Debug for Loaded {
    /// Without the bytes: there may be twenty million of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("field", &self.field)
            .field("file_name", &self.file_name)
            .field("content_type", &self.content_type)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// Only plain files: opening a pipe waits for its writer, and a device may never end.
fn read(path: &Path, limit: u64) -> Result<Bytes, Error> {
    let unreadable = |error: std::io::Error| {
        refused(format!("{} cannot be read: {error}", path.display()), "check the path and the rights of the file")
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(refused(format!("{} is a folder", path.display()), "name a file in it"));
    }
    if !metadata.is_file() {
        let hint = "read it yourself, and hand it over with `Upload::reader` or `Upload::bytes`";
        return Err(refused(format!("{} is not a plain file", path.display()), hint));
    }
    let name = path.display().to_string();
    within_limit(metadata.len(), limit, &name)?;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    // The file may have grown meanwhile, and some (in /proc) say they are empty.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    within_limit(u64::try_from(bytes.len()).unwrap_or(u64::MAX), limit, &name)?;
    Ok(bytes.into())
}

/// A leading `~` is the home folder; `~someone` is a name like any other.
fn at_home(path: &Path) -> Result<PathBuf, Error> {
    let Ok(rest) = path.strip_prefix("~") else { return Ok(path.to_owned()) };
    let home = etcetera::home_dir()
        .map_err(|_| refused(format!("{}: there is no home folder here", path.display()), "write the whole path"))?;
    Ok(home.join(rest))
}

fn within_limit(length: u64, limit: u64, name: &str) -> Result<(), Error> {
    if length <= limit {
        return Ok(());
    }
    let message = format!("{name} is {length} bytes or more, and iNaturalist takes no file above {limit}");
    Err(refused(message, "make it smaller"))
}

fn address(text: &str) -> Result<Url, Error> {
    // The text is not shown: it may carry a signature that opens the file to anyone.
    let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| {
        refused("the address of the file to upload is no http or https URL", "for a file on disk, use `Upload::path`")
    })
}

fn len(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn refused(message: impl Into<String>, hint: &str) -> Error {
    Error::new(Stage::Prepare, Kind::Upload(message.into())).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(upload: &Upload) -> Loaded {
        match load(upload).unwrap() {
            Found::Loaded(loaded) => loaded,
            Found::Elsewhere(url) => panic!("{url}"),
        }
    }

    fn refusal(upload: &Upload) -> String {
        let error = load(upload).unwrap_err();
        assert!(matches!(error.kind(), Kind::Upload(_)) && error.hint().is_some(), "{error:?}");
        error.to_string()
    }

    #[test]
    fn files_are_read_with_name_and_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("owl.jpg");
        std::fs::write(&path, b"\xff\xd8\xff").unwrap();
        let file = loaded(&Upload::path(&path));
        assert_eq!((file.field.as_str(), file.file_name.as_str()), ("file", "owl.jpg"));
        assert_eq!(file.content_type, "image/jpeg");
        assert_eq!(&file.bytes[..], b"\xff\xd8\xff");
        let sound = loaded(&Upload::bytes("owl.wav", &b"RIFF"[..]).field("sound"));
        assert_eq!((sound.field.as_str(), sound.content_type.as_str()), ("sound", "audio/wav"));
        assert_eq!(loaded(&Upload::bytes("owl", &b""[..])).content_type, "application/octet-stream");
    }

    #[test]
    fn the_limit_holds_to_the_byte_before_anything_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.jpg");
        let file = File::create(&path).unwrap();
        file.set_len(MAX_UPLOAD + 1).unwrap();
        assert!(refusal(&Upload::path(&path)).contains("20000001"));
        file.set_len(MAX_UPLOAD).unwrap();
        assert_eq!(len(&loaded(&Upload::path(&path)).bytes), MAX_UPLOAD);
        let large = Upload::bytes("large.jpg", vec![0; 20_000_001]);
        assert!(check(&large).is_err());
        assert!(check(&Upload::bytes("large.jpg", vec![0; 20_000_000])).is_ok());
        assert!(check(&Upload::reader("large.jpg", std::io::repeat(0))).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_hides_its_size_is_still_bounded() {
        assert!(read(Path::new("/proc/self/status"), 10).is_err());
        assert!(!read(Path::new("/proc/self/status"), 1_000_000).unwrap().is_empty());
    }

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("torn cable"))
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refusal(&Upload::path(folder.path())).contains("is a folder"));
        assert!(refusal(&Upload::path(folder.path().join("none.jpg"))).contains("none.jpg"));
        assert!(refusal(&Upload::path("")).contains("empty"));
        #[cfg(unix)]
        assert!(refusal(&Upload::path("/dev/zero")).contains("not a plain file"));
        assert!(refusal(&Upload::url("ftp://h/T0P")).contains("http"));
        assert!(!refusal(&Upload::url("T0P")).contains("T0P"));
        assert!(refusal(&Upload::reader("x", Broken)).contains("torn cable"));
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let home = etcetera::home_dir().unwrap();
        assert_eq!(at_home(Path::new("~/a/b.jpg")).unwrap(), home.join("a/b.jpg"));
        assert_eq!(at_home(Path::new("~")).unwrap(), home);
        for path in ["~someone/b.jpg", "a/~/b.jpg", "/~"] {
            assert_eq!(at_home(Path::new(path)).unwrap(), Path::new(path));
        }
    }

    #[test]
    fn fetched_files_are_called_after_their_url() {
        let upload = Upload::url("https://h.org/photos/large%20owl.png?sig=T0P");
        let Found::Elsewhere(url) = load(&upload).unwrap() else { panic!() };
        let fetched = |content_type| Loaded::fetched(&upload, &url, content_type, Bytes::from_static(b"x")).unwrap();
        assert_eq!(fetched(None).file_name, "large owl.png");
        assert_eq!(fetched(None).content_type, "image/png");
        assert_eq!(fetched(Some("image/jpeg")).content_type, "image/jpeg");
        assert_eq!(fetched(Some("application/octet-stream")).content_type, "image/png");
        let root = Url::parse("https://h.org/").unwrap();
        assert_eq!(Loaded::fetched(&upload, &root, None, Bytes::new()).unwrap().file_name, "file");
        assert!(Loaded::fetched(&upload, &url, None, vec![0; 20_000_001].into()).is_err());
    }
}
