//! Why a command did not end well, and how the user hears of it.

use std::{fmt::Display, io, path::Path};

use crate::catalog::Catalog;

/// Ends a command; [`Failure::report`] makes it text and an exit code.
#[derive(Debug)]
pub(super) enum Failure {
    /// Something is not as it must be, with what to do about it: exit code 1.
    Failed { error: String, hint: Option<String> },
    /// A request that cannot be right as it stands: exit code 2.
    Usage(String),
    /// stdout cannot be written.
    Output(io::Error),
}

impl Failure {
    /// Something is not as it must be.
    pub(super) fn failed(error: impl Into<String>) -> Self {
        Self::Failed { error: error.into(), hint: None }
    }

    /// A file that cannot be read or written.
    pub(super) fn of_file(path: &Path, error: &impl Display) -> Self {
        Self::Failed { error: format!("{}: {error}", path.display()), hint: None }
    }

    /// A name that nothing has.
    pub(super) fn unknown(name: &str, catalog: &Catalog) -> Self {
        let worlds: Vec<_> = catalog.worlds.iter().map(|world| world.name).collect();
        Self::Usage(format!("nothing is called {name}; worlds are: {}; `list` shows everything", worlds.join(", ")))
    }

    /// Says on stderr what happened and returns the exit code. A reader who closed the pipe has what he wanted.
    pub(super) fn report(self, json: bool) -> u8 {
        let (error, hint, code) = match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return 0,
            Self::Output(error) => (format!("stdout: {error}"), None, 1),
            Self::Failed { error, hint } => (error, hint, 1),
            Self::Usage(error) => (error, None, 2),
        };
        if json {
            eprintln!("{}", serde_json::json!({ "error": error, "hint": hint }));
        } else {
            eprintln!("error: {error}");
            if let Some(hint) = hint {
                eprintln!("hint: {hint}");
            }
        }
        code
    }
}

impl From<io::Error> for Failure {
    /// Of writing to stdout; other errors say which file they belong to.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
