//! Why a command did not do what it was asked, and how the user hears of it.

use std::{io, process::ExitCode};

use crate::{
    api::types::{ErrorBody, ErrorCode},
    config::ConfigError,
};

/// Ends a command; [`Failure::report`] makes it text and an exit code.
#[derive(Debug)]
pub(super) enum Failure {
    /// Refused or failed: exit code 1.
    Failed(ErrorBody),
    /// A request that cannot be right as it stands: exit code 2.
    Usage(String),
    /// A node's failure, which its log tells: this exit code.
    Logged(u8),
    /// stdout cannot be written.
    Output(io::Error),
}

impl Failure {
    /// A failure of this process's own.
    pub(super) fn failed(error: impl Into<String>) -> Self {
        Self::Failed(ErrorBody { error: error.into(), code: ErrorCode::Internal, hint: None })
    }

    /// Nobody who could have answered did.
    pub(super) fn unavailable(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed(ErrorBody { error: error.into(), code: ErrorCode::Unavailable, hint: Some(hint.into()) })
    }

    /// A data folder that cannot be used as it is asked for. Exit code 2 says that the wrong folder was named.
    pub(super) fn of_store(exit_code: u8, error: &impl ToString) -> Self {
        match exit_code {
            2 => Self::Usage(error.to_string()),
            _ => Self::Failed(ErrorBody { error: error.to_string(), code: ErrorCode::Damaged, hint: None }),
        }
    }

    /// Says on stderr what happened and returns the exit code. A reader who closed the pipe has what he wanted.
    pub(super) fn report(self, json: bool) -> ExitCode {
        let (body, code) = match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Self::Logged(code) => return ExitCode::from(code),
            Self::Output(error) => (ErrorBody { error: format!("stdout: {error}"), code: ErrorCode::Internal, hint: None }, 1),
            Self::Failed(body) => (body, 1),
            Self::Usage(error) => (ErrorBody { error, code: ErrorCode::BadRequest, hint: None }, 2),
        };
        if json {
            eprintln!("{}", serde_json::to_string(&body).unwrap_or(body.error));
        } else {
            eprintln!("error: {}", body.error);
            if let Some(hint) = body.hint {
                eprintln!("hint: {hint}");
            }
        }
        ExitCode::from(code)
    }
}

impl From<io::Error> for Failure {
    /// Of writing to stdout; other errors say which file they belong to.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}
