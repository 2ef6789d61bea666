//! The daemon as a child process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::workshop::Workshop;
use crate::cli::exit::Error;
use crate::client::Client;

/// How long to wait before asking again whether the daemon is ready.
const READY_PAUSE: Duration = Duration::from_millis(2);
/// How long a stop may take before the daemon is killed.
const STOP_TIME_MAX: Duration = Duration::from_secs(15);
/// The most lines of the daemon's log that an error shows.
const LOG_LINES_MAX: usize = 12;

/// A daemon that is killed when this is dropped, and stopped by [`Self::stop`].
#[derive(Debug)]
pub(in crate::cli) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `factoryd` with the workshop's settings.
    pub(in crate::cli) fn start(factoryd: &Path, workshop: &Workshop) -> Result<Self, Error> {
        let mut command = Command::new(factoryd);
        command.arg("--config").arg(workshop.settings()).current_dir(workshop.path());
        Self::spawn(command, workshop.log())
    }

    /// The process sees no environment, whose `NG_…` would change its settings, and has a process group of its own: Ctrl-C reaches
    /// this program only, which then stops the daemon in order.
    fn spawn(mut command: Command, log: PathBuf) -> Result<Self, Error> {
        let program = command.as_std().get_program().to_owned();
        let failed = |source: io::Error| {
            Error::failed("daemon_not_started", format!("start {} as the daemon: {source}", program.display()))
        };
        let sink = File::create(&log).map_err(failed)?;
        let child = command
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(sink)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        Ok(Self { child, log })
    }

    /// Waits until the daemon serves requests, for so long at most.
    pub(in crate::cli) async fn ready(&mut self, client: &Client, limit: Duration) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            if client.ready().await.is_ok_and(|answer| answer.ready) {
                return Ok(());
            }
            if begun.elapsed() >= limit {
                return Err(self.failed("daemon_not_ready", &format!("the daemon is not ready after {limit:?}")));
            }
            tokio::select! {
                () = sleep(READY_PAUSE) => {}
                exited = self.child.wait() => {
                    return Err(self.failed("daemon_not_ready", &format!("the daemon ended at its start: {}", told(exited))));
                }
            }
        }
    }

    /// Asks the daemon to stop, and waits until it has.
    pub(in crate::cli) async fn stop(mut self) -> Result<(), Error> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // Without an id it has ended and was waited for.
        let asked = pid.map_or(Ok(()), |pid| kill_process(pid, Signal::TERM));
        match timeout(STOP_TIME_MAX, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(exited) => Err(self.failed("daemon_ended_badly", &format!("the daemon ended badly: {}", told(exited)))),
            Err(_) => {
                let killed = self.child.kill().await;
                let how =
                    format!("the daemon did not stop within {STOP_TIME_MAX:?} ({asked:?}) and was killed ({killed:?})");
                Err(self.failed("daemon_not_stopped", &how))
            }
        }
    }

    /// An error with the end of the daemon's log.
    fn failed(&self, code: &'static str, how: &str) -> Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let from = log.lines().count().saturating_sub(LOG_LINES_MAX);
        let tail: String = log.lines().skip(from).map(|line| format!("\n  | {line}")).collect();
        Error::failed(code, format!("{how}{tail}"))
    }
}

fn told(exited: io::Result<ExitStatus>) -> String {
    exited.map_or_else(|source| source.to_string(), |status| status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, dir: &Path) -> Daemon {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        Daemon::spawn(command, dir.join("log")).expect("a process")
    }

    #[tokio::test]
    async fn a_daemon_that_ends_at_its_start_is_told_with_the_end_of_its_log() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut daemon = shell("i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line $i >&2; done; exit 3", dir.path());
        let client = Client::new(dir.path().join("none.sock"));
        let error = daemon.ready(&client, Duration::from_secs(60)).await.expect_err("ended").to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("| line 20") && !error.contains("| line 8\n"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_daemon_that_does_not_end_well_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let error = shell("exec sleep 600", dir.path()).stop().await.expect_err("no status 0").to_string();
        assert!(error.contains("signal: 15"), "{error}");
    }

    #[tokio::test]
    async fn a_daemon_that_is_never_ready_is_given_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut daemon = shell("exec sleep 600", dir.path());
        let client = Client::new(dir.path().join("none.sock"));
        let error = daemon.ready(&client, Duration::ZERO).await.expect_err("too late").to_string();
        assert!(error.contains("not ready after"), "{error}");
    }
}
