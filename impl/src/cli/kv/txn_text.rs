//! A transaction as text, in etcdctl's form: comparisons, a blank line, operations, a blank line, operations.

use crate::service::kv::{Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};

use super::{
    super::failure::Failure,
    text::Encoding,
    txn_json::{delete, get},
};

/// Reads a transaction; errors name the line.
pub(super) fn from_text(text: &str, encoding: Encoding) -> Result<TxnRequest, Failure> {
    let mut txn = TxnRequest::default();
    let mut part = 0;
    for (place, line) in text.lines().map(str::trim).enumerate() {
        let at = |why: String| Failure::Usage(format!("line {} of the transaction, `{line}`: {why}", place + 1));
        let in_line = |failure| match failure {
            Failure::Usage(why) => at(why),
            other => other,
        };
        match part {
            _ if line.is_empty() => part += 1,
            0 => txn.compare.push(comparison(line, encoding).map_err(in_line)?),
            1 => txn.success.push(operation(line, encoding).map_err(in_line)?),
            2 => txn.failure.push(operation(line, encoding).map_err(in_line)?),
            _ => return Err(at("there are three parts: comparisons, what to do if all hold, what to do otherwise".to_owned())),
        }
    }
    Ok(txn)
}

/// `value("key") = "x"`.
fn comparison(line: &str, encoding: Encoding) -> Result<Compare, Failure> {
    let form = || Failure::Usage("write for example value(\"key\") = \"x\" or mod(\"key\") > 5".to_owned());
    let (target, rest) = line.split_once('(').ok_or_else(form)?;
    let mut words = words(rest)?.into_iter();
    let (Some(key), Some(Word::Sign(')'))) = (words.next().and_then(Word::text), words.next()) else { return Err(form()) };
    let mut signs = String::new();
    let given = loop {
        match words.next().ok_or_else(form)? {
            Word::Sign(sign) => signs.push(sign),
            Word::Text(given) => break given,
        }
    };
    if words.next().is_some() {
        return Err(form());
    }
    let result = match signs.as_str() {
        "=" => CompareResult::Equal,
        "!=" => CompareResult::NotEqual,
        "<" => CompareResult::Less,
        ">" => CompareResult::Greater,
        _ => return Err(form()),
    };
    let number = || given.parse::<i64>().map_err(|_| Failure::Usage(format!("{given:?} is no number")));
    let target = match target.trim() {
        "value" | "val" => CompareTarget::Value(encoding.read(&given)?),
        "version" | "ver" => CompareTarget::Version(number()?),
        "create" | "c" => CompareTarget::Create(number()?),
        "mod" | "m" => CompareTarget::Mod(number()?),
        "lease" => CompareTarget::Lease(number()?),
        other => return Err(Failure::Usage(format!("{other:?} cannot be compared; value, version, create, mod and lease can"))),
    };
    Ok(Compare { key: encoding.read_key(&key)?, range_end: Default::default(), result, target })
}

/// `put KEY VALUE`, `get KEY [END]`, `del KEY [END]`, with options.
fn operation(line: &str, encoding: Encoding) -> Result<RequestOp, Failure> {
    let form = || Failure::Usage("write put KEY VALUE, get KEY [END] or del KEY [END]".to_owned());
    let (mut prefix, mut prev_kv, mut arguments) = (false, false, Vec::new());
    for word in line_words(line)? {
        match word.as_str() {
            "--prefix" => prefix = true,
            "--prev-kv" => prev_kv = true,
            _ => arguments.push(word),
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["put", key, value] if !prefix => {
            Ok(RequestOp::Put(PutRequest { prev_kv, ..PutRequest::new(encoding.read_key(key)?, encoding.read(value)?) }))
        }
        ["get", key, end @ ..] if end.len() < 2 && !prev_kv => Ok(RequestOp::Range(get(encoding, key, end.first().copied(), prefix)?)),
        ["del", key, end @ ..] if end.len() < 2 => {
            let request = delete(encoding, key, end.first().copied(), prefix)?;
            Ok(RequestOp::DeleteRange(DeleteRangeRequest { prev_kv, ..request }))
        }
        _ => Err(form()),
    }
}

/// A part of a line.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// Quoted, or without spaces and signs.
    Text(String),
    /// `)`, `=`, `!`, `<` or `>` outside of quotes.
    Sign(char),
}

impl Word {
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Sign(_) => None,
        }
    }
}

/// Words of a comparison, in which signs end a word.
fn words(line: &str) -> Result<Vec<Word>, Failure> {
    split(line, |c| matches!(c, ')' | '=' | '!' | '<' | '>'))
}

/// Words of an operation, in which signs are ordinary characters.
fn line_words(line: &str) -> Result<Vec<String>, Failure> {
    Ok(split(line, |_| false)?.into_iter().filter_map(Word::text).collect())
}

fn split(line: &str, is_sign: impl Fn(char) -> bool) -> Result<Vec<Word>, Failure> {
    let mut words = Vec::new();
    let mut rest = line.chars().peekable();
    while let Some(&c) = rest.peek() {
        if c.is_whitespace() {
            rest.next();
        } else if is_sign(c) {
            rest.next();
            words.push(Word::Sign(c));
        } else if c == '"' {
            rest.next();
            words.push(Word::Text(quoted(&mut rest)?));
        } else {
            let mut word = String::new();
            while let Some(c) = rest.next_if(|&c| !c.is_whitespace() && !is_sign(c)) {
                word.push(c);
            }
            words.push(Word::Text(word));
        }
    }
    Ok(words)
}

/// Up to the closing quote; `\"`, `\\`, `\n`, `\t` stand for what they do elsewhere.
fn quoted(rest: &mut impl Iterator<Item = char>) -> Result<String, Failure> {
    let mut text = String::new();
    loop {
        match rest.next() {
            Some('"') => return Ok(text),
            Some('\\') => text.push(match rest.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(c @ ('"' | '\\')) => c,
                _ => return Err(Failure::Usage("after \\ comes one of \" \\ n t".to_owned())),
            }),
            Some(c) => text.push(c),
            None => return Err(Failure::Usage("a double quote is open at the end".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Compare, CompareResult, CompareTarget, DeleteRangeRequest, Encoding, PutRequest, RequestOp, TxnRequest, from_text};
    use crate::{cli::failure::Failure, service::kv::RangeRequest};

    fn compare(key: &'static str, result: CompareResult, target: CompareTarget) -> Compare {
        Compare { key: key.into(), range_end: "".into(), result, target }
    }

    #[test]
    fn everything_of_the_text_form_arrives() {
        let text = "value(\"a b\") = \"x=\\\"y\\\"\"\nmod(k)>5\nver(\"k\") != \"0\"\n\nput \"a b\" \"line\\n\" --prev-kv\nput a=b --flag\nget k z\n\ndel u/ --prefix\n";
        let expected = TxnRequest {
            compare: vec![
                compare("a b", CompareResult::Equal, CompareTarget::Value("x=\"y\"".into())),
                compare("k", CompareResult::Greater, CompareTarget::Mod(5)),
                compare("k", CompareResult::NotEqual, CompareTarget::Version(0)),
            ],
            success: vec![
                RequestOp::Put(PutRequest { prev_kv: true, ..PutRequest::new("a b", "line\n") }),
                RequestOp::Put(PutRequest::new("a=b", "--flag")),
                RequestOp::Range(RangeRequest { range_end: "z".into(), ..RangeRequest::key("k") }),
            ],
            failure: vec![RequestOp::DeleteRange(DeleteRangeRequest::prefix("u/"))],
        };
        assert_eq!(from_text(text, Encoding::Text).unwrap(), expected);
    }

    /// An empty first part: no comparison, always done.
    #[test]
    fn parts_may_be_empty() {
        let txn = from_text("\nput a 1\n", Encoding::Text).unwrap();
        assert_eq!((txn.compare.len(), txn.success.len(), txn.failure.len()), (0, 1, 0));
        let hex = from_text("value(61) = 0a\n", Encoding::Hex).unwrap();
        assert_eq!(hex.compare, [compare("a", CompareResult::Equal, CompareTarget::Value("\n".into()))]);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, expected) in [
            ("value(\"a\" = 1", "line 1 of the transaction, `value(\"a\" = 1`: write for example"),
            ("size(a) = 1", "line 1 of the transaction, `size(a) = 1`: \"size\" cannot be compared"),
            ("mod(a) = x", "\"x\" is no number"),
            ("mod(a) == 1", "write for example"),
            ("\nput a", "line 2 of the transaction, `put a`: write put KEY VALUE"),
            ("\nput a 1 --prefix", "write put KEY VALUE"),
            ("\nget \"a", "a double quote is open at the end"),
            ("\ndel a b --prefix", "either a prefix or an end of the range"),
            ("\n\n\n\nput a 1", "line 5 of the transaction, `put a 1`: there are three parts"),
        ] {
            match from_text(text, Encoding::Text) {
                Err(Failure::Usage(error)) => assert!(error.contains(expected), "{text:?}: {error}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }
}
