//! The daemon's process, seen from outside: the time and the memory that it takes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;

/// The name that the process must have: where something else listens for the daemon, its figures would be told as the daemon's.
const NAME: &str = "factoryd";

/// In what `stat` counts: hundredths of a second (`USER_HZ`) on every architecture that this is built for.
const TICKS_PER_SECOND: u64 = 100;

/// A process of this host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process {
    pid: i32,
}

/// What a process has taken so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// On processors, in user and kernel mode, by all threads.
    pub(super) cpu: Duration,
    /// Resident memory, in bytes.
    pub(super) resident: u64,
}

impl Process {
    /// The daemon that listens on this socket; none where the system does not say.
    pub(super) async fn behind(socket: &Path) -> Option<Self> {
        let stream = UnixStream::connect(socket).await.ok()?;
        let pid = stream.peer_cred().ok()?.pid()?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (name.trim_end() == NAME).then_some(Self { pid })
    }

    /// What it has taken; none once it is gone.
    pub(super) fn taken(self) -> Option<Taken> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", self.pid)).ok();
        let cpu = cpu(&read("stat")?)?;
        Some(Taken { cpu, resident: resident(&read("status")?)? })
    }
}

/// The fields `utime` and `stime` of a process's `stat`. They stand behind its name, which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    let micros = user.checked_add(kernel)?.checked_mul(1_000_000)?.checked_div(TICKS_PER_SECOND)?;
    Some(Duration::from_micros(micros))
}

/// The line `VmRSS` of a process's `status`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_understood() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 1000 1000000 500";
        assert_eq!(cpu(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu("7 (a) S 1"), None);
        assert_eq!(resident("VmPeak:\t  9 kB\nVmRSS:\t  300 kB\n"), Some(300 * 1024));
        assert_eq!(resident("VmPeak:\t  9 kB\n"), None);
    }

    #[test]
    fn this_process_has_taken_something() {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        let taken = Process { pid }.taken().expect("figures");
        assert!(taken.resident > 0);
    }
}
