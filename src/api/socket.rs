//! Binding the control socket: from systemd, over a stale one, never over a living one.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use super::listener::Sockets;
use super::tls::{Error as TlsError, Tls};
use crate::config::settings::Settings;
use crate::domain::failure::Failure as _;

/// Who may connect, as far as the file's mode says: owner and group. Who gets in, access decides.
const SOCKET_MODE: u32 = 0o660;

/// Why there is nothing to listen on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A daemon answers there.
    #[error("another daemon listens on {0}; stop it, or give this one a socket of its own with --socket")]
    InUse(PathBuf),
    /// Something that is no socket lies there.
    #[error("{0} exists and is not a socket; remove it, or name another path with --socket")]
    NotASocket(PathBuf),
    /// The files of TLS cannot be used.
    #[error("speak TLS on the TCP listener ({})", .0.code())]
    Tls(#[from] TlsError),
    /// The host refuses.
    #[error("listen on {place}: {fault}")]
    Host {
        /// Where.
        place: String,
        /// What the host says.
        fault: io::Error,
    },
}

/// Binds the sockets of the settings; `inherited` is the socket that systemd passed, if it did.
///
/// # Errors
/// See [`BindError`].
pub async fn bind(settings: &Settings, inherited: Option<OwnedFd>) -> Result<Sockets, BindError> {
    let (socket, api) = (settings.socket.as_path(), &settings.api);
    // First: nothing is listened on, and no stale socket removed, for a daemon that cannot speak.
    let tls = settings.tls.as_ref().map(Tls::load).transpose()?;
    let host = |fault| BindError::Host { place: socket.display().to_string(), fault };
    let listener = match inherited {
        Some(inherited) => StdListener::from(inherited),
        None => bind_path(socket)?,
    };
    listener.set_nonblocking(true).map_err(host)?;
    let unix = UnixListener::from_std(listener).map_err(host)?;
    let tcp = match api.tcp {
        Some(address) => {
            let bound = TcpListener::bind(address).await;
            Some(bound.map_err(|fault| BindError::Host { place: address.to_string(), fault })?)
        }
        None => None,
    };
    Ok(Sockets { unix, tcp, tls })
}

fn bind_path(socket: &Path) -> Result<StdListener, BindError> {
    let host = |fault| BindError::Host { place: socket.display().to_string(), fault };
    if let Some(directory) = socket.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(directory).map_err(host)?;
    }
    remove_stale(socket)?;
    let listener = StdListener::bind(socket).map_err(host)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(SOCKET_MODE)).map_err(host)?;
    Ok(listener)
}

/// Removes a socket at which nobody answers, left behind by a daemon that was killed.
fn remove_stale(socket: &Path) -> Result<(), BindError> {
    let host = |fault| BindError::Host { place: socket.display().to_string(), fault };
    let found = match fs::symlink_metadata(socket) {
        Ok(found) => found,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(host(fault)),
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket(socket.to_owned()));
    }
    match StdStream::connect(socket) {
        Err(fault) if fault.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(socket).map_err(host),
        Ok(_) | Err(_) => Err(BindError::InUse(socket.to_owned())),
    }
}
