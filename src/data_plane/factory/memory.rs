//! Reads how much memory there is left, from what the kernel says.
//!
//! In this order: the limits of the daemon's own cgroup and of those above it (version 2), against its working set; else, where
//! none is limited, how much the host stalls for memory. What `agents.memory_max` says is looked at beside either, against the
//! daemon's own resident memory. Everything here reads files that have no disk behind them, and blocks for microseconds.

use std::fs;
use std::path::{Path, PathBuf};

use super::policy::Reading;

/// The most cgroups above each other that are looked at.
const LEVELS_MAX: usize = 32;

/// Where the kernel tells about memory.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    proc: PathBuf,
    cgroups: PathBuf,
    /// The most resident memory that the daemon is to have, where it is told.
    memory_max: Option<u64>,
}

impl Memory {
    /// The memory of this process.
    pub(super) fn of_this_process(memory_max: Option<u64>) -> Self {
        Self { proc: PathBuf::from("/proc"), cgroups: PathBuf::from("/sys/fs/cgroup"), memory_max }
    }

    /// What is known now; nothing where nothing can be read.
    pub(super) fn read(&self) -> Vec<Reading> {
        let mut readings = self.limited_cgroups();
        if readings.is_empty() {
            readings.extend(self.stalls());
        }
        readings.extend(self.resident());
        readings
    }

    /// Every cgroup with a limit, from the daemon's own upwards.
    fn limited_cgroups(&self) -> Vec<Reading> {
        let memberships = text(&self.proc.join("self/cgroup")).unwrap_or_default();
        let Some(own) = own_cgroup(&memberships) else { return Vec::new() };
        let own = self.cgroups.join(own.trim_start_matches('/'));
        let levels = own.ancestors().take_while(|level| level.starts_with(&self.cgroups)).take(LEVELS_MAX);
        levels.filter_map(used_of).collect()
    }

    fn stalls(&self) -> Option<Reading> {
        let share = stalled(&text(&self.proc.join("pressure/memory"))?)?;
        Some(Reading::Stalled { share })
    }

    fn resident(&self) -> Option<Reading> {
        let limit = self.memory_max?;
        let bytes = resident(&text(&self.proc.join("self/status"))?)?;
        Some(Reading::Used { bytes, limit })
    }
}

/// Gives memory that nobody uses any more back to the system: glibc keeps what lies between pieces in use, and of agents that were
/// made one after the other and left in another order that is nearly everything. Blocks for as long as there is much to give
/// back; whoever allocates meanwhile may wait.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc's own call for this has no safe wrapper")]
pub(super) fn give_back() {
    // SAFETY: `malloc_trim` takes a number, may be called by any thread at any time, and moves nothing that is in use.
    let _released = unsafe { libc::malloc_trim(0) };
}

/// Other allocators give back by themselves.
#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back() {}

/// How much of its limit a cgroup uses, if it has one. Pages of files that nobody has used for a while do not count: the kernel
/// takes them back first, and the store's file alone would fill any limit with them.
fn used_of(cgroup: &Path) -> Option<Reading> {
    let limit = |name: &str| text(&cgroup.join(name))?.trim().parse::<u64>().ok();
    let limit = [limit("memory.high"), limit("memory.max")].into_iter().flatten().min()?;
    let current = text(&cgroup.join("memory.current"))?.trim().parse::<u64>().ok()?;
    let inactive = text(&cgroup.join("memory.stat")).as_deref().and_then(inactive_file).unwrap_or(0);
    Some(Reading::Used { bytes: current.saturating_sub(inactive), limit })
}

/// The path of the cgroup of version 2 in `/proc/self/cgroup`.
fn own_cgroup(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

fn inactive_file(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("inactive_file "))?.trim().parse().ok()
}

/// `VmRSS` of `/proc/self/status`, in bytes.
fn resident(text: &str) -> Option<u64> {
    let kib: u64 =
        text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// `avg10` of the line `some` of a pressure file, in hundredths of a per cent.
fn stalled(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let (whole, hundredths) = some.split(' ').find_map(|field| field.strip_prefix("avg10="))?.split_once('.')?;
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(hundredths.parse().ok()?)
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// A kernel of files.
    struct Kernel(tempfile::TempDir);

    impl Kernel {
        fn new(files: &[(&str, &str)]) -> Self {
            let kernel = Self(tempfile::tempdir().expect("a directory"));
            for (name, text) in files {
                let path = kernel.0.path().join(name);
                fs::create_dir_all(path.parent().expect("a directory")).expect("made");
                fs::write(path, text).expect("written");
            }
            kernel
        }

        fn read(&self, memory_max: Option<u64>) -> Vec<Reading> {
            let (proc, cgroups) = (self.0.path().join("proc"), self.0.path().join("cgroup"));
            Memory { proc, cgroups, memory_max }.read()
        }
    }

    const OWN: (&str, &str) = ("proc/self/cgroup", "1:name=systemd:/old\n0::/system.slice/factoryd.service\n");
    const CURRENT: (&str, &str) = ("cgroup/system.slice/factoryd.service/memory.current", "3221225472\n");
    const STALLS: (&str, &str) = (
        "proc/pressure/memory",
        "some avg10=12.05 avg60=1.00 avg300=0.00 total=1\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=1\n",
    );

    #[test]
    fn the_lower_limit_of_a_cgroup_counts_against_its_working_set() {
        let kernel = Kernel::new(&[
            OWN,
            CURRENT,
            STALLS,
            ("cgroup/system.slice/factoryd.service/memory.high", "4294967296\n"),
            ("cgroup/system.slice/factoryd.service/memory.max", "max\n"),
            ("cgroup/system.slice/factoryd.service/memory.stat", "anon 5\ninactive_file 1073741824\nactive_file 7\n"),
        ]);
        assert_eq!(kernel.read(None), [Reading::Used { bytes: 2 * GIB, limit: 4 * GIB }]);
    }

    #[test]
    fn a_limit_of_a_cgroup_above_counts_too() {
        let kernel = Kernel::new(&[
            OWN,
            CURRENT,
            ("cgroup/system.slice/factoryd.service/memory.high", "max\n"),
            ("cgroup/system.slice/factoryd.service/memory.max", "max\n"),
            ("cgroup/system.slice/memory.max", "8589934592\n"),
            ("cgroup/system.slice/memory.current", "7516192768\n"),
        ]);
        assert_eq!(kernel.read(None), [Reading::Used { bytes: 7 * GIB, limit: 8 * GIB }]);
    }

    #[test]
    fn without_a_limited_cgroup_the_stalls_of_the_host_count() {
        assert_eq!(Kernel::new(&[OWN, CURRENT, STALLS]).read(None), [Reading::Stalled { share: 1_205 }]);
    }

    #[test]
    fn resident_memory_counts_against_the_setting_beside_whatever_else_there_is() {
        let status = ("proc/self/status", "Name:\tfactoryd\nVmHWM:\t 4194304 kB\nVmRSS:\t 2097152 kB\n");
        let kernel = Kernel::new(&[STALLS, status]);
        let resident = Reading::Used { bytes: 2 * GIB, limit: 3 * GIB };
        assert_eq!(kernel.read(Some(3 * GIB)), [Reading::Stalled { share: 1_205 }, resident]);
    }

    #[test]
    fn what_cannot_be_read_presses_nobody() {
        assert_eq!(Kernel::new(&[]).read(Some(GIB)), []);
        let nonsense = [OWN, ("cgroup/system.slice/memory.max", "x"), ("proc/pressure/memory", "some avg10=\n")];
        assert_eq!(Kernel::new(&nonsense).read(None), []);
    }
}
