//! What the host says when the settings do not: processors, and where a socket may lie.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

/// Where the socket lies for root, or for whom systemd made the directory.
const RUN_DIR: &str = "/run/factoryd";

/// The socket's name in its directory.
const SOCKET_NAME: &str = "control.sock";

/// Defaults that depend on the host.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// The processors that this process may use.
    pub(super) processors: NonZeroUsize,
    /// The default socket; none where no directory is writable.
    pub(super) socket: Option<PathBuf>,
    /// Where systemd passes credentials, if it passes any (systemd.exec(5)).
    pub(super) credentials: Option<PathBuf>,
}

impl Host {
    pub(super) fn of_this_process(environment: &[(String, String)]) -> Self {
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let runtime = environment.iter().find(|(name, _)| name == "XDG_RUNTIME_DIR").map(|(_, dir)| dir.as_str());
        let socket = if rustix::process::geteuid().is_root() {
            Some(Path::new(RUN_DIR).join(SOCKET_NAME))
        } else {
            socket_for(Path::new(RUN_DIR), runtime)
        };
        let passed = environment.iter().find(|(name, _)| name == "CREDENTIALS_DIRECTORY");
        let credentials = passed.map(|(_, directory)| PathBuf::from(directory));
        Self { processors, socket, credentials }
    }
}

/// The socket of somebody who is not root.
fn socket_for(run_dir: &Path, runtime: Option<&str>) -> Option<PathBuf> {
    if rustix::fs::access(run_dir, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
        return Some(run_dir.join(SOCKET_NAME));
    }
    let runtime = Path::new(runtime.filter(|dir| !dir.is_empty())?);
    Some(runtime.join("factoryd").join(SOCKET_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_lies_in_run_or_in_the_runtime_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let absent = dir.path().join("absent");
        assert_eq!(socket_for(dir.path(), None), Some(dir.path().join("control.sock")));
        assert_eq!(socket_for(&absent, Some("/run/user/7")), Some(PathBuf::from("/run/user/7/factoryd/control.sock")));
        assert_eq!(socket_for(&absent, None), None);
        assert_eq!(socket_for(&absent, Some("")), None);
    }
}
