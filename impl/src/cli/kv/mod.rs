//! `roadstead kv`: keys and values of a group, through the native client.

mod compact;
mod del;
mod get;
mod print;
mod put;
mod range;
mod read;
mod text;
mod txn;
mod txn_json;
mod txn_text;

use clap::{Args as ClapArgs, Subcommand};

use crate::{
    GroupId,
    api::types::{ErrorBody, ErrorCode},
    client::{Client, ClientOptions, KvClient, KvFailure, Rejected},
};

use self::text::Encoding;
use super::{block_on, endpoints::Endpoints, failure::Failure, output::Output};

/// Read and write keys of a group
#[derive(ClapArgs, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Put(put::Args),
    Get(get::Args),
    Range(range::Args),
    Del(del::Args),
    Txn(txn::Args),
    Compact(compact::Args),
}

/// Options of every command: which group of which cluster, and how keys and values are written.
#[derive(ClapArgs, Clone, Debug)]
struct Target {
    /// The group
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(0..))]
    group: i32,
    /// Keys and values are hexadecimal, in arguments and answers
    #[arg(long)]
    hex: bool,
    #[command(flatten)]
    endpoints: Endpoints,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Put(args) => put::run(args, output),
        Command::Get(args) => get::run(args, output),
        Command::Range(args) => range::run(args, output),
        Command::Del(args) => del::run(args, output),
        Command::Txn(args) => txn::run(args, output),
        Command::Compact(args) => compact::run(args, output),
    }
}

impl Target {
    fn encoding(&self) -> Encoding {
        if self.hex { Encoding::Hex } else { Encoding::Text }
    }

    /// Carries out one request.
    fn ask<T, F: Future<Output = Result<T, KvFailure>>>(&self, request: impl FnOnce(KvClient) -> F) -> Result<T, Failure> {
        let group = GroupId::new(self.group).ok_or_else(|| Failure::Usage("--group: a group id is 0 to 2147483647".to_owned()))?;
        let endpoints = self.endpoints.endpoints.iter().map(ToString::to_string).collect();
        let timeout = self.endpoints.timeout;
        block_on(async {
            let options = ClientOptions { endpoints, timeout, ..ClientOptions::default() };
            Ok(request(KvClient::new(Client::new(options).group(group))).await?)
        })
    }
}

impl From<KvFailure> for Failure {
    /// The failure's text says what to do; the code tells programs whether to try again.
    fn from(failure: KvFailure) -> Self {
        let code = match &failure {
            KvFailure::Unknown(_) => ErrorCode::OutcomeUnknown,
            KvFailure::Rejected(Rejected::TimedOut { .. } | Rejected::DeadlineExceeded { .. } | Rejected::PeerIsLegacy { .. }) => {
                ErrorCode::Unavailable
            }
            KvFailure::Rejected(Rejected::NoSuchGroup { .. }) => ErrorCode::NoSuchGroup,
            KvFailure::Rejected(Rejected::NoSpace { .. }) => ErrorCode::NoSpace,
            KvFailure::Rejected(Rejected::TooLarge { .. } | Rejected::Malformed { .. } | Rejected::NoEndpoints)
            | KvFailure::Refused(_)
            | KvFailure::NotKv(_) => ErrorCode::BadRequest,
        };
        Self::Failed(ErrorBody { error: failure.to_string(), code, hint: None })
    }
}
