//! The log of a node: levels, form, where it goes.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Says more finely than a level what is written, for example `info,roadstead::port=debug`.
const FILTER_VARIABLE: &str = "ROADSTEAD_LOG";

/// Sends the process's log to stderr. A second call changes nothing: the first one may have written already.
pub(super) fn init(config: LogConfig) {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder().with_default_directive(level.into()).with_env_var(FILTER_VARIABLE).from_env_lossy();
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let _ = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
