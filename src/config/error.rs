//! What is wrong with the settings: every mistake at once, each with its place and what would be right.

use std::fmt;
use std::path::PathBuf;

use crate::domain::failure::{Class, Failure};

/// Where a setting was given. Places are ordered as a person looks for them: down the file, then variables, then flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a settings file, at a line and column counted from one.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// A settings file as a whole.
    WholeFile(PathBuf),
    /// In an environment variable.
    Variable(String),
    /// On the command line.
    Flag(&'static str),
    /// Nowhere: what holds when nothing is said.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::WholeFile(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands.
    pub place: Place,
    /// The setting, as a dotted path; empty where the file itself cannot be read.
    pub setting: String,
    /// What is wrong and what would be right. Never a secret.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        f.write_str(&self.text)
    }
}

/// All mistakes of one attempt to read the settings; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(Vec<Mistake>);

impl Errors {
    /// The mistakes in the order of their places; none where there are none.
    #[must_use]
    pub fn from_mistakes(mut mistakes: Vec<Mistake>) -> Option<Self> {
        mistakes.sort_by(|left, right| left.place.cmp(&right.place));
        mistakes.dedup();
        if mistakes.is_empty() { None } else { Some(Self(mistakes)) }
    }

    /// The mistakes.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for Errors {
    /// Writes a line for each mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(mistake, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

impl Failure for Errors {
    fn code(&self) -> &'static str {
        "settings_invalid"
    }

    fn class(&self) -> Class {
        Class::Malformed
    }

    fn detail(&self) -> String {
        format!("the settings have {} mistakes; the daemon's log names them", self.0.len())
    }
}
