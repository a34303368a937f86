//! `management.socket`: a Unix socket that only its owner can open.

use std::ffi::OsString;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use tokio::net::UnixSocket;

const OWNER_ONLY: u32 = 0o600;
const BACKLOG: u32 = 128;

/// The file of a listening socket; dropping this removes the file.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode: a file that another process has put there since must remain.
    identity: (u64, u64),
}

impl SocketFile {
    /// Listens on a path. A missing directory is created. A socket left behind by a process that has ended is replaced.
    ///
    /// The socket gets its mode before it listens, and its final name last, so that no other user can ever connect.
    ///
    /// # Errors
    /// When another process listens on the path, the path is not a socket, or the socket cannot be created.
    pub(crate) fn listen(path: &Path) -> io::Result<(Self, UnixListener)> {
        check_path(path)?;
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let temporary = temporary_path(path);
        let made = bind_temporary(&temporary).and_then(|listener| {
            let identity = identity(&fs::symlink_metadata(&temporary)?);
            fs::rename(&temporary, path)?;
            Ok((Self { path: path.to_owned(), identity }, listener))
        });
        if made.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        made
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_own = fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity);
        if is_own {
            // The next start replaces a remaining file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Whether a start can listen on a path.
pub(crate) fn check_path(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the path exists and is not a socket"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process is listening on this socket")),
    }
}

/// A path in the same directory, so that the socket can be renamed.
fn temporary_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{}", std::process::id()));
    PathBuf::from(name)
}

fn bind_temporary(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
    socket.listen(BACKLOG)?.into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of one test, removed when dropped.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("socket-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn path(&self) -> PathBuf {
            self.0.join("app.sock")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[actix_web::test]
    async fn only_the_owner_can_open_the_socket_and_it_is_removed() {
        let directory = Directory::new("mode");
        let path = directory.path();
        let (file, listener) = SocketFile::listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        drop((file, listener));
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 0);
    }

    #[actix_web::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let directory = Directory::new("stale");
        let path = directory.path();
        drop(UnixListener::bind(&path).unwrap());
        let (first, _listener) = SocketFile::listen(&path).unwrap();
        let refused = SocketFile::listen(&path).map(|_| ()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        // Another process has replaced the socket.
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
    }

    #[actix_web::test]
    async fn a_regular_file_is_not_replaced() {
        let directory = Directory::new("file");
        let path = directory.path();
        fs::write(&path, "precious").unwrap();
        assert!(SocketFile::listen(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
