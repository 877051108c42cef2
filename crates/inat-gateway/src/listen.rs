//! Where a gateway listens: TCP addresses and Unix sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::Error;
use crate::wire::Socket;

/// An address to listen on.
///
/// ```
/// use inat_gateway::Listen;
///
/// assert!(matches!("127.0.0.1:8017".parse(), Ok(Listen::Tcp(_))));
/// assert!(matches!("localhost:8017".parse(), Ok(Listen::Tcp(_))));
/// assert!(matches!("unix:inat.sock".parse(), Ok(Listen::Unix(_))));
/// assert!(matches!("/run/inat.sock".parse(), Ok(Listen::Unix(_))));
/// assert!("8017".parse::<Listen>().is_err());
/// assert!("unix:".parse::<Listen>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listen {
    /// An address and a port; port 0 for any that is free.
    Tcp(SocketAddr),
    /// The path of a socket. It is made for its owner alone (mode 0600).
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        if text.starts_with('/') || text.starts_with("./") {
            return Ok(Self::Unix(text.into()));
        }
        let numeric =
            text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
        numeric.parse().map(Self::Tcp).map_err(|_| {
            Error::config(format!(
                "`{text}` is no address to listen on; give e.g. 127.0.0.1:8017 or unix:/run/inat.sock"
            ))
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// So much waits in the system's buffer for a client to take what went before. By itself that buffer grows to megabytes, and it
/// is a minute until one sees that a slow but steady client has taken some of it.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 << 10;

/// An open door.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(OwnSocket),
}

/// A socket whose file is removed at the end.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct OwnSocket {
    listener: UnixListener,
    path: PathBuf,
}

#[cfg(unix)]
impl Drop for OwnSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Listener {
    /// Opens it, and says where it really is.
    pub(crate) async fn open(listen: &Listen) -> Result<(Self, Listen), Error> {
        let fail = |source| Error::Listen { address: listen.to_string(), source };
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(fail)?;
                let address = listener.local_addr().map_err(fail)?;
                Ok((Self::Tcp(listener), Listen::Tcp(address)))
            }
            Listen::Unix(path) => Ok((open_unix(path).map_err(fail)?, listen.clone())),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                #[cfg(target_os = "linux")]
                let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
                Ok(Socket::Tcp(stream))
            }
            #[cfg(unix)]
            Self::Unix(own) => Ok(Socket::Unix(own.listener.accept().await?.0)),
        }
    }
}

/// Makes the socket in a folder only we can enter, and moves it into place when only we can use it: there is no moment at
/// which others could connect.
#[cfg(unix)]
fn open_unix(path: &Path) -> io::Result<Listener> {
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};

    if let Ok(there) = std::fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name that is no socket"));
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let made = folder.join("s");
    let opened = UnixListener::bind(&made).and_then(|listener| {
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&made, path)?;
        Ok(listener)
    });
    let _ = std::fs::remove_dir_all(&folder);
    Ok(Listener::Unix(OwnSocket { listener: opened?, path: path.to_owned() }))
}

#[cfg(not(unix))]
fn open_unix(_path: &Path) -> io::Result<Listener> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets"))
}
