//! `roadstead kv put`: sets a key.

use std::io::{self, Read};

use bytes::Bytes;
use clap::Args as ClapArgs;

use crate::service::kv::PutRequest;

use super::{
    super::{failure::Failure, output::Output},
    Target,
    print::{put_json, put_text},
    text::Encoding,
};

const AFTER_HELP: &str = "\
Prints OK when the write is on a quorum of disks.

Examples:
  roadstead kv put hello world
  roadstead kv put hello again --prev-kv --group 3
  roadstead kv put picture < picture.png";

/// Set a key
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The key
    #[arg(allow_hyphen_values = true)]
    key: String,
    /// Its value [default: the bytes of stdin]
    #[arg(allow_hyphen_values = true)]
    value: Option<String>,
    /// Print what was there before, too
    #[arg(long)]
    prev_kv: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let encoding = args.target.encoding();
    let key = encoding.read_key(&args.key)?;
    let value = match &args.value {
        Some(value) => encoding.read(value)?,
        None => read_stdin(encoding)?,
    };
    let request = PutRequest { prev_kv: args.prev_kv, ..PutRequest::new(key, value) };
    let response = args.target.ask(|kv| async move { kv.put(request).await })?;
    output.answer(|| put_json(&response, encoding), || put_text(&response, encoding))
}

fn read_stdin(encoding: Encoding) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map_err(|error| Failure::failed(format!("stdin: {error}")))?;
    match encoding {
        Encoding::Text => Ok(bytes.into()),
        Encoding::Hex => encoding.read(String::from_utf8_lossy(&bytes).trim()),
    }
}
