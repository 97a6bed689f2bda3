//! Log lines of a node: to stderr, as text for people or as one JSON object per line.

use crate::config::{LogConfig, LogFormat, LogLevel};
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Begins to write log lines. `ROADSTEAD_LOG` (such as `info,roadstead::port=debug`) says more finely than the level what is written.
pub(super) fn start(config: LogConfig) {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder().with_default_directive(level.into()).with_env_var("ROADSTEAD_LOG").from_env_lossy();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
