//! Files to upload.

use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;

/// The largest file iNaturalist takes, in bytes. Larger ones are refused before anything is sent.
#[doc(alias = "MAX_FILESIZE")]
pub const MAX_UPLOAD: u64 = 20_000_000;

/// A file to upload: where its bytes come from, and what it is called.
///
/// ```
/// use inat_session::Upload;
/// let photo = Upload::path("~/IMG_2041.jpg");
/// let sound = Upload::bytes("owl.wav", &b"RIFF"[..]).field("sound");
/// assert_eq!(sound.field, "sound");
/// ```
#[doc(alias = "ensure_file_obj")]
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upload {
    /// The name of the form field: `file` unless set.
    pub field: String,
    /// What the server is told the file is called; taken from the path or URL when not set.
    pub file_name: Option<String>,
    /// Where the bytes come from.
    pub source: UploadSource,
}

/// Where the bytes of an upload come from.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UploadSource {
    /// A file; a leading `~` is the home folder.
    Path(PathBuf),
    /// Bytes in memory.
    Bytes(Bytes),
    /// An `http` or `https` URL, fetched through the session when the request is sent.
    Url(String),
    /// A reader that could not be read; preparing it fails with this reason.
    Unreadable(String),
}

impl Upload {
    fn from_source(source: UploadSource) -> Self {
        Self { field: "file".to_owned(), file_name: None, source }
    }

    /// A file on disk, read when the request is sent.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::from_source(UploadSource::Path(path.into()))
    }

    /// Bytes, and what the file is called.
    pub fn bytes(file_name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self { file_name: Some(file_name.into()), ..Self::from_source(UploadSource::Bytes(bytes.into())) }
    }

    /// Whatever a reader yields, read now (and never more than [`MAX_UPLOAD`] and one byte), so that it can be sent again.
    pub fn reader(file_name: impl Into<String>, reader: impl Read) -> Self {
        let mut bytes = Vec::new();
        let source = match reader.take(MAX_UPLOAD + 1).read_to_end(&mut bytes) {
            Ok(_) => UploadSource::Bytes(bytes.into()),
            Err(error) => UploadSource::Unreadable(error.to_string()),
        };
        Self { file_name: Some(file_name.into()), ..Self::from_source(source) }
    }

    /// A file elsewhere on the web. Its real bytes are sent, at the first time as at the second.
    pub fn url(url: impl Into<String>) -> Self {
        Self::from_source(UploadSource::Url(url.into()))
    }

    /// Sends it under another field name.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }
}
