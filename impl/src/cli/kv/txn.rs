//! `roadstead kv txn`: several operations, atomically.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
};

use clap::Args as ClapArgs;

use crate::service::kv::TxnRequest;

use super::{
    super::{failure::Failure, output::Output},
    Target,
    print::{txn_json, txn_text},
    text::Encoding,
    txn_json::from_json,
    txn_text::from_text,
};

const AFTER_HELP: &str = r#"The text has three parts with a blank line between them: comparisons, what to do if all hold, what to do otherwise.

  value("account") = "100"         also version, create, mod, lease; =, !=, <, >
                                   (blank line)
  put account 90
  get account
                                   (blank line)
  get account

Operations: put KEY VALUE, get KEY [END], del KEY [END], with --prefix (get, del) and --prev-kv (put, del). Words with spaces go in double quotes.
As JSON (which may nest transactions):

  {"compare": [{"target": "value", "key": "account", "result": "=", "value": "100"}],
   "success": [{"put": {"key": "account", "value": "90"}}, {"get": {"key": "account"}}],
   "failure": [{"txn": {"success": [{"del": {"key": "account", "prefix": true}}]}}]}

Examples:
  roadstead kv txn < transfer.txt
  roadstead kv txn transfer.json --json
  printf 'version("lock") = 0\n\nput lock me\n\nget lock\n' | roadstead kv txn"#;

/// Compare keys, and do one of two lists of operations, atomically
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// A file with the transaction [default: stdin]
    file: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let encoding = args.target.encoding();
    let text = match &args.file {
        Some(file) => fs::read_to_string(file).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?,
        None => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(|error| Failure::failed(format!("stdin: {error}")))?;
            text
        }
    };
    let request = parse(&text, encoding)?;
    let response = args.target.ask(|kv| async move { kv.txn(request).await })?;
    output.answer(|| txn_json(&response, encoding), || txn_text(&response, encoding))
}

/// JSON begins with a brace, which no line of the text form does.
fn parse(text: &str, encoding: Encoding) -> Result<TxnRequest, Failure> {
    if text.trim_start().starts_with('{') { from_json(text, encoding) } else { from_text(text, encoding) }
}
