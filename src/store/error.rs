//! What the store cannot do.

use std::path::PathBuf;
use std::time::Duration;

use super::backup::Flaw;
use super::keyring;
use crate::domain::failure::{Class, Failure, Retry};

/// How soon another backup may be asked for while one is being taken.
const BACKUP_RETRY_AFTER: Duration = Duration::from_secs(10);

/// How soon something may be written again that the disk had no room for.
const ROOM_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A failure of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The commit failed or was not confirmed; nothing of it may be acknowledged.
    #[error("commit to the store: {0}")]
    Commit(String),
    /// The store refuses writes since an earlier failure.
    #[error("the store takes no writes since: {0}")]
    Unwell(String),
    /// The disk has no room now; the store goes on by itself when there is some. Nothing was written.
    #[error("the store does not write this: {0}")]
    NoRoom(String),
    /// A read failed.
    #[error("read from the store: {0}")]
    Read(String),
    /// A record does not match its checksum, or its pieces are missing.
    #[error("damaged record under {keyspace} {key}: {reason}")]
    Damaged {
        /// The keyspace's letter.
        keyspace: char,
        /// The key in hexadecimal.
        key: String,
        /// What does not fit.
        reason: String,
    },
    /// The key of a record was destroyed: its owner's data was erased.
    #[error("the record under {keyspace} {key} was erased")]
    Erased {
        /// The keyspace's letter.
        keyspace: char,
        /// The key in hexadecimal.
        key: String,
    },
    /// The keys cannot do it.
    #[error(transparent)]
    Keys(#[from] keyring::Error),
    /// A batch is beyond a limit of the store.
    #[error("{found} {what} are more than {most}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        most: usize,
    },
    /// A batch writes where only the store itself may.
    #[error("a batch writes to a keyspace that only the store writes to")]
    Reserved,
    /// The directory cannot be opened.
    #[error("open the store: {0}")]
    Open(String),
    /// Another process has the directory open.
    #[error("open the store: {} is in use by another factoryd", .0.display())]
    InUse(PathBuf),
    /// The directory holds something else than a store of ours.
    #[error("open the store: {} is not a store of factoryd: {why}", directory.display())]
    Foreign {
        /// The directory.
        directory: PathBuf,
        /// What gives it away.
        why: String,
    },
    /// A newer release wrote the directory.
    #[error(
        "open the store: {} was written by a newer factoryd: format {found}, this one reads up to {known}",
        directory.display()
    )]
    Newer {
        /// The directory.
        directory: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this release reads.
        known: u32,
    },
    /// The database is damaged so that it does not open.
    #[error("open the store: the database in {} is damaged: {reason}", directory.display())]
    Corrupt {
        /// The directory.
        directory: PathBuf,
        /// What sled says.
        reason: String,
    },
    /// The database opens, and what was durable in it is not all there any more.
    #[error(
        "open the store: the database in {} ends at position {found}, and everything up to {durable} was durable: what came after is lost",
        directory.display()
    )]
    Incomplete {
        /// The directory.
        directory: PathBuf,
        /// The last position that is there.
        found: u64,
        /// The last position that was durable.
        durable: u64,
    },
    /// A backup is being taken.
    #[error("take a backup: another one is being taken")]
    BackupRunning,
    /// So much was written during the backup that what came after its beginning could not be kept.
    #[error("take a backup: {0}")]
    BackupOvertaken(String),
    /// Whoever asked for the backup no longer takes it.
    #[error("take a backup: whoever asked for it does not take it: {0}")]
    BackupAbandoned(String),
    /// A file is no archive that can be restored.
    #[error("read the backup {}: {flaw}", archive.display())]
    Archive {
        /// The file.
        archive: PathBuf,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A restore did not get to its end; the data directory is as it was.
    #[error("restore: {0}")]
    Restore(String),
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Commit(_) | Self::Unwell(_) | Self::NoRoom(_) => "store_unwell",
            Self::Read(_) | Self::Damaged { .. } => "store_read_failed",
            Self::Erased { .. } => "record_erased",
            Self::Keys(error) => error.code(),
            Self::TooLarge { .. } => "record_too_large",
            Self::Reserved => "store_keyspace_reserved",
            Self::Open(_) => "store_open_failed",
            Self::InUse(_) => "data_directory_in_use",
            Self::Foreign { .. } => "store_foreign",
            Self::Newer { .. } => "store_newer",
            Self::Corrupt { .. } => "store_damaged",
            Self::Incomplete { .. } => "store_incomplete",
            Self::BackupRunning => "backup_running",
            Self::BackupOvertaken(_) => "backup_overtaken",
            Self::BackupAbandoned(_) => "backup_abandoned",
            Self::Archive { flaw: Flaw::Foreign, .. } => "backup_foreign",
            Self::Archive { flaw: Flaw::Newer { .. }, .. } => "backup_newer",
            Self::Archive { flaw: Flaw::CutShort, .. } => "backup_cut_short",
            Self::Archive { flaw: Flaw::Changed(_), .. } => "backup_damaged",
            Self::Restore(_) => "restore_failed",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Commit(_)
            | Self::Unwell(_)
            | Self::NoRoom(_)
            | Self::Open(_)
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::Incomplete { .. }
            | Self::BackupAbandoned(_) => Class::Unavailable,
            Self::Erased { .. } => Class::NotFound,
            Self::Keys(error) => error.class(),
            Self::TooLarge { .. } => Class::TooLarge,
            Self::InUse(_) => Class::Conflict,
            Self::BackupRunning | Self::BackupOvertaken(_) => Class::Overload,
            Self::Archive { .. } => Class::Refused,
            Self::Read(_) | Self::Damaged { .. } | Self::Reserved | Self::Restore(_) => Class::Internal,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::BackupRunning | Self::BackupOvertaken(_) => Retry::After(BACKUP_RETRY_AFTER),
            Self::NoRoom(_) => Retry::After(ROOM_RETRY_AFTER),
            Self::Keys(error) => error.retry(),
            Self::Commit(_)
            | Self::Unwell(_)
            | Self::Read(_)
            | Self::Damaged { .. }
            | Self::Erased { .. }
            | Self::TooLarge { .. }
            | Self::Reserved
            | Self::Open(_)
            | Self::InUse(_)
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::Incomplete { .. }
            | Self::BackupAbandoned(_)
            | Self::Archive { .. }
            | Self::Restore(_) => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Commit(_) | Self::Unwell(_) | Self::NoRoom(_) => {
                "the store cannot make anything durable now".to_owned()
            }
            Self::Read(_) | Self::Damaged { .. } => "a stored record cannot be read".to_owned(),
            Self::Erased { .. } => "it was erased".to_owned(),
            Self::Keys(error) => error.detail(),
            Self::TooLarge { what, found, most } => format!("{found} {what} are more than {most}"),
            Self::Reserved => "a change cannot be stored where it was meant to be".to_owned(),
            Self::Open(_)
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::Incomplete { .. } => "the store cannot be opened".to_owned(),
            Self::InUse(_) => "the data directory is in use by another daemon".to_owned(),
            Self::BackupRunning => "another backup is being taken".to_owned(),
            Self::BackupOvertaken(why) => format!("the backup was given up: {why}"),
            Self::BackupAbandoned(_) => "the backup was not taken in time".to_owned(),
            Self::Archive { flaw, .. } => flaw.to_string(),
            Self::Restore(_) => "the backup could not be restored".to_owned(),
        }
    }
}
