//! A clock that a test can move while the daemon runs: days pass without anybody waiting for them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::workshop::Workshop;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/harness/shifted_clock.c");

/// The host's clock, and by how much a daemon's is ahead of it.
#[derive(Clone)]
pub(crate) struct Clock {
    shift: Arc<File>,
    environment: [(String, String); 2],
}

impl Clock {
    /// A clock of this workshop's daemon, which shows the host's time until it is moved.
    pub(crate) fn of(workshop: &Workshop) -> Self {
        let (library, file) = (workshop.path("shifted_clock.so"), workshop.path("clock_shift"));
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(SOURCE).status();
        assert!(built.expect("a C compiler, which also links this test").success(), "{SOURCE}");
        let shift = File::options().read(true).write(true).create(true).truncate(true).open(&file).expect("a file");
        shift.write_all_at(&0_i64.to_ne_bytes(), 0).expect("written");
        let text = |path: std::path::PathBuf| path.to_str().expect("text").to_owned();
        let environment = [("LD_PRELOAD".to_owned(), text(library)), ("CLOCK_SHIFT_FILE".to_owned(), text(file))];
        Self { shift: Arc::new(shift), environment }
    }

    /// What a daemon needs in its environment to go by this clock.
    pub(crate) fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Moves on.
    pub(crate) fn advance(&self, by: Duration) {
        self.set_shift(self.shift() + i64::try_from(by.as_secs()).expect("soon"));
    }

    /// Moves so that it shows so many seconds after 1970-01-01.
    pub(crate) fn show(&self, seconds: i64) {
        self.set_shift(seconds - host());
    }

    /// The seconds after 1970-01-01 that it shows.
    pub(crate) fn seconds(&self) -> i64 {
        host() + self.shift()
    }

    fn shift(&self) -> i64 {
        let mut bytes = [0; 8];
        self.shift.read_exact_at(&mut bytes, 0).expect("read");
        i64::from_ne_bytes(bytes)
    }

    fn set_shift(&self, seconds: i64) {
        self.shift.write_all_at(&seconds.to_ne_bytes(), 0).expect("written");
    }
}

fn host() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("soon")
}
