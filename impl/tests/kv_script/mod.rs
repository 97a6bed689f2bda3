//! A small language for requests and answers, so that a case of the table is a line.
//!
//! ```text
//! get KEY [..END] [rev=N] [limit=N] [sort=ascend|descend|none] [by=key|version|create|mod|value] [keys] [count]
//!                 [minmod=N] [maxmod=N] [mincreate=N] [maxcreate=N]
//! put KEY VALUE [prev] [ignore_value] [ignore_lease] [lease=N]
//! del KEY [..END] [prev]
//! txn [ver KEY [..END] = N; val KEY != VALUE] [OP; OP] [OP]      compares: ver, create, mod, val, lease; =, !=, >, <
//! compact N | sweep
//! ```
//! `''` is the empty string and `\0` in a word a zero byte. Answers: `@REVISION`, then `#COUNT KEY=VALUE(CREATE,MOD,VERSION)... more`,
//! `prev KEY=...`, `deleted N`, `then [...; ...]`, or `! error`.

use bytes::Bytes;
use roadstead::service::kv::*;
use std::{fmt::Write, iter::Peekable, vec};

use crate::kv_member::Member;

type Words = Peekable<vec::IntoIter<String>>;

/// Runs a case: a script of requests (`>`) and the answers that etcd gives to them, on an empty store. It runs three times: as commands; with a
/// restart after each command; and with each read-only request asked as a query before it is proposed. The answers must be those of the
/// script each time.
pub(crate) fn check(name: &str, script: &str) {
    for (mode, restart, query) in [("commands", false, false), ("restarts", true, false), ("queries", false, true)] {
        let mut member = Member::default();
        let mut answer = None;
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let Some(request) = line.strip_prefix('>') else {
                assert_eq!(answer.take().as_deref(), Some(line), "{name}, {mode}");
                continue;
            };
            assert_eq!(answer, None, "{name}, {mode}: an answer is missing before {line}");
            let request = parse(request);
            if query && request.is_read_only() {
                assert_eq!(member.query(&request), member.propose(&request), "{name}: query and command, {line}");
            }
            answer = Some(show(&member.propose(&request)));
            if restart {
                member.reopen();
            }
        }
        assert_eq!(answer, None, "{name}, {mode}: the last answer is missing");
    }
}

/// A test for each case.
macro_rules! table {
    ($($(#[doc = $doc:literal])* $name:ident: $script:literal)*) => { $(
        $(#[doc = $doc])*
        #[test]
        fn $name() {
            $crate::kv_script::check(stringify!($name), $script);
        }
    )* };
}

pub(crate) use table;

/// The request of a line.
pub(crate) fn parse(line: &str) -> Request {
    let mut spaced = line.to_owned();
    for mark in ["[", "]", ";"] {
        spaced = spaced.replace(mark, &format!(" {mark} "));
    }
    let mut words = spaced.split_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter().peekable();
    let request = match words.peek().map(String::as_str) {
        Some("compact") => Request::Compact(CompactRequest { revision: { words.nth(1).expect("revision").parse().expect("revision") } }),
        Some("sweep") => words.next().map(|_| Request::Sweep).expect("sweep"),
        _ => match operation(&mut words) {
            RequestOp::Range(request) => Request::Range(request),
            RequestOp::Put(request) => Request::Put(request),
            RequestOp::DeleteRange(request) => Request::DeleteRange(request),
            RequestOp::Txn(request) => Request::Txn(request),
        },
    };
    assert_eq!(words.next(), None, "{line}");
    request
}

fn operation(words: &mut Words) -> RequestOp {
    match words.next().expect("operation").as_str() {
        "get" => RequestOp::Range(range(words)),
        "put" => RequestOp::Put(put(words)),
        "del" => {
            let (key, range_end) = span(words);
            RequestOp::DeleteRange(DeleteRangeRequest { key, range_end, prev_kv: words.next_if_eq("prev").is_some() })
        }
        "txn" => {
            let compare = list(words, compare);
            RequestOp::Txn(TxnRequest { compare, success: list(words, operation), failure: list(words, operation) })
        }
        word => panic!("unknown operation {word}"),
    }
}

fn list<T>(words: &mut Words, item: fn(&mut Words) -> T) -> Vec<T> {
    assert_eq!(words.next().as_deref(), Some("["));
    let mut items = Vec::new();
    while words.next_if_eq("]").is_none() {
        items.push(item(words));
        words.next_if_eq(";");
    }
    items
}

fn compare(words: &mut Words) -> Compare {
    let target = words.next().expect("target");
    let (key, range_end) = span(words);
    let result = match words.next().expect("result").as_str() {
        "=" => CompareResult::Equal,
        "!=" => CompareResult::NotEqual,
        ">" => CompareResult::Greater,
        "<" => CompareResult::Less,
        word => panic!("unknown result {word}"),
    };
    let given = words.next().expect("given");
    let target = match target.as_str() {
        "ver" => CompareTarget::Version(given.parse().expect("number")),
        "create" => CompareTarget::Create(given.parse().expect("number")),
        "mod" => CompareTarget::Mod(given.parse().expect("number")),
        "lease" => CompareTarget::Lease(given.parse().expect("number")),
        "val" => CompareTarget::Value(bytes(&given)),
        word => panic!("unknown target {word}"),
    };
    Compare { key, range_end, result, target }
}

fn bytes(word: &str) -> Bytes {
    if word == "''" { Bytes::new() } else { word.replace("\\0", "\0").into() }
}

fn span(words: &mut Words) -> (Bytes, Bytes) {
    let key = bytes(&words.next().expect("key"));
    let end = words.next_if(|word| word.starts_with("..")).map(|word| bytes(&word[2..])).unwrap_or_default();
    (key, end)
}

fn put(words: &mut Words) -> PutRequest {
    let mut request = PutRequest::new(bytes(&words.next().expect("key")), bytes(&words.next().expect("value")));
    while let Some(word) = words.next_if(|word| !["]", ";"].contains(&word.as_str())) {
        match word.split_once('=').unwrap_or((&word, "")) {
            ("prev", _) => request.prev_kv = true,
            ("ignore_value", _) => request.ignore_value = true,
            ("ignore_lease", _) => request.ignore_lease = true,
            ("lease", id) => request.lease = id.parse().expect("lease"),
            _ => panic!("unknown option {word}"),
        }
    }
    request
}

fn range(words: &mut Words) -> RangeRequest {
    let (key, range_end) = span(words);
    let mut request = RangeRequest { key, range_end, ..RangeRequest::default() };
    while let Some(word) = words.next_if(|word| !["]", ";"].contains(&word.as_str())) {
        let (option, given) = word.split_once('=').unwrap_or((&word, ""));
        let number = || given.parse().expect("number");
        match option {
            "rev" => request.revision = number(),
            "limit" => request.limit = number(),
            "minmod" => request.min_mod_revision = number(),
            "maxmod" => request.max_mod_revision = number(),
            "mincreate" => request.min_create_revision = number(),
            "maxcreate" => request.max_create_revision = number(),
            "keys" => request.keys_only = true,
            "count" => request.count_only = true,
            "sort" => {
                request.sort_order = match given {
                    "none" => SortOrder::None,
                    "ascend" => SortOrder::Ascend,
                    "descend" => SortOrder::Descend,
                    _ => panic!("unknown order {given}"),
                }
            }
            "by" => {
                request.sort_target = match given {
                    "key" => SortTarget::Key,
                    "version" => SortTarget::Version,
                    "create" => SortTarget::Create,
                    "mod" => SortTarget::Mod,
                    "value" => SortTarget::Value,
                    _ => panic!("unknown target {given}"),
                }
            }
            _ => panic!("unknown option {word}"),
        }
    }
    request
}

/// An answer as a line.
pub(crate) fn show(answer: &Answer) -> String {
    match answer {
        Err(error) => format!("! {error}"),
        Ok(Response::Range(response)) => show_range(response),
        Ok(Response::Put(response)) => show_put(response),
        Ok(Response::DeleteRange(response)) => show_delete(response),
        Ok(Response::Txn(response)) => show_txn(response),
        Ok(Response::Compact(response)) => format!("@{}", response.revision),
        Ok(Response::Sweep(response)) => format!("@{}{}", response.revision, if response.pending { " pending" } else { "" }),
        Ok(Response::HashKv(response)) => {
            format!("@{} hash at {} from {}", response.revision, response.hash_revision, response.compact_revision)
        }
    }
}

fn show_kv(kv: &KeyValue) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "\\0");
    let lease = if kv.lease == 0 { String::new() } else { format!(",lease {}", kv.lease) };
    format!(" {}={}({},{},{}{lease})", text(&kv.key), text(&kv.value), kv.create_revision, kv.mod_revision, kv.version)
}

fn show_range(response: &RangeResponse) -> String {
    let mut line = format!("@{} #{}", response.revision, response.count);
    response.kvs.iter().for_each(|kv| line.push_str(&show_kv(kv)));
    line + if response.more { " more" } else { "" }
}

fn show_put(response: &PutResponse) -> String {
    let prev = response.prev_kv.as_ref().map_or(String::new(), |kv| format!(" prev{}", show_kv(kv)));
    format!("@{}{prev}", response.revision)
}

fn show_delete(response: &DeleteRangeResponse) -> String {
    let mut line = format!("@{} deleted {}", response.revision, response.deleted);
    if !response.prev_kvs.is_empty() {
        line += " prev";
        response.prev_kvs.iter().for_each(|kv| line.push_str(&show_kv(kv)));
    }
    line
}

fn show_txn(response: &TxnResponse) -> String {
    let mut line = format!("@{} {} [", response.revision, if response.succeeded { "then" } else { "else" });
    for (i, op) in response.responses.iter().enumerate() {
        let shown = match op {
            ResponseOp::Range(response) => show_range(response),
            ResponseOp::Put(response) => show_put(response),
            ResponseOp::DeleteRange(response) => show_delete(response),
            ResponseOp::Txn(response) => show_txn(response),
        };
        let _ = write!(line, "{}{shown}", if i == 0 { "" } else { "; " });
    }
    line + "]"
}
