//! A transaction in JSON.

use serde::Deserialize;

use crate::service::kv::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TXN_DEPTH_MAX, TxnRequest,
};

use super::{super::failure::Failure, text::Encoding};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Txn {
    #[serde(default)]
    compare: Vec<Comparison>,
    #[serde(default)]
    success: Vec<Operation>,
    #[serde(default)]
    failure: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Comparison {
    target: Target,
    key: String,
    range_end: Option<String>,
    result: Sign,
    value: Given,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    Version,
    Create,
    Mod,
    Lease,
    Value,
}

#[derive(Clone, Copy, Deserialize)]
enum Sign {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = ">")]
    Greater,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Number(i64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operation {
    Put(Put),
    Get(Keys),
    Del(Keys),
    Txn(Txn),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    key: String,
    value: String,
    #[serde(default)]
    prev_kv: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    key: String,
    range_end: Option<String>,
    #[serde(default)]
    prefix: bool,
    #[serde(default)]
    prev_kv: bool,
}

/// Reads a transaction; errors name the line.
pub(super) fn from_json(text: &str, encoding: Encoding) -> Result<TxnRequest, Failure> {
    let txn: Txn = serde_json::from_str(text).map_err(|error| Failure::Usage(format!("the transaction: {error}")))?;
    txn.request(encoding, TXN_DEPTH_MAX)
}

impl Txn {
    /// `depth`: how many levels there may be, this one counted.
    fn request(self, encoding: Encoding, depth: u8) -> Result<TxnRequest, Failure> {
        let Some(below) = depth.checked_sub(1) else {
            return Err(Failure::Usage(format!("the transaction is nested more than {TXN_DEPTH_MAX} deep")));
        };
        let operations =
            |list: Vec<Operation>| list.into_iter().map(|operation| operation.request(encoding, below)).collect::<Result<Vec<_>, _>>();
        Ok(TxnRequest {
            compare: self.compare.into_iter().map(|comparison| comparison.request(encoding)).collect::<Result<_, _>>()?,
            success: operations(self.success)?,
            failure: operations(self.failure)?,
        })
    }
}

impl Comparison {
    fn request(self, encoding: Encoding) -> Result<Compare, Failure> {
        let number = || match &self.value {
            Given::Number(number) => Ok(*number),
            Given::Text(text) => Err(Failure::Usage(format!("the comparison of {:?}: {text:?} is no number", self.key))),
        };
        let target = match (self.target, &self.value) {
            (Target::Version, _) => CompareTarget::Version(number()?),
            (Target::Create, _) => CompareTarget::Create(number()?),
            (Target::Mod, _) => CompareTarget::Mod(number()?),
            (Target::Lease, _) => CompareTarget::Lease(number()?),
            (Target::Value, Given::Text(text)) => CompareTarget::Value(encoding.read(text)?),
            (Target::Value, Given::Number(number)) => {
                return Err(Failure::Usage(format!("the comparison of {:?}: values are strings, write \"{number}\"", self.key)));
            }
        };
        let result = match self.result {
            Sign::Equal => CompareResult::Equal,
            Sign::NotEqual => CompareResult::NotEqual,
            Sign::Less => CompareResult::Less,
            Sign::Greater => CompareResult::Greater,
        };
        let range_end = self.range_end.map(|end| encoding.read_key(&end)).transpose()?.unwrap_or_default();
        Ok(Compare { key: encoding.read_key(&self.key)?, range_end, result, target })
    }
}

impl Operation {
    fn request(self, encoding: Encoding, depth: u8) -> Result<RequestOp, Failure> {
        Ok(match self {
            Self::Put(put) => {
                let request = PutRequest::new(encoding.read_key(&put.key)?, encoding.read(&put.value)?);
                RequestOp::Put(PutRequest { prev_kv: put.prev_kv, ..request })
            }
            Self::Get(keys) => RequestOp::Range(get(encoding, &keys.key, keys.range_end.as_deref(), keys.prefix)?),
            Self::Del(keys) => {
                let request = delete(encoding, &keys.key, keys.range_end.as_deref(), keys.prefix)?;
                RequestOp::DeleteRange(DeleteRangeRequest { prev_kv: keys.prev_kv, ..request })
            }
            Self::Txn(txn) => RequestOp::Txn(txn.request(encoding, depth)?),
        })
    }
}

/// A read of a key, a range or a prefix.
pub(super) fn get(encoding: Encoding, key: &str, end: Option<&str>, prefix: bool) -> Result<RangeRequest, Failure> {
    let DeleteRangeRequest { key, range_end, .. } = delete(encoding, key, end, prefix)?;
    Ok(RangeRequest { key, range_end, ..RangeRequest::default() })
}

/// A deletion of a key, a range or a prefix.
pub(super) fn delete(encoding: Encoding, key: &str, end: Option<&str>, prefix: bool) -> Result<DeleteRangeRequest, Failure> {
    let first = encoding.read_key(key)?;
    match (end, prefix) {
        (Some(_), true) => Err(Failure::Usage(format!("{key:?}: either a prefix or an end of the range"))),
        (Some(end), false) => Ok(DeleteRangeRequest { range_end: encoding.read_key(end)?, ..DeleteRangeRequest::key(first) }),
        (None, true) => Ok(DeleteRangeRequest::prefix(first)),
        (None, false) => Ok(DeleteRangeRequest::key(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Compare, CompareResult, CompareTarget, DeleteRangeRequest, Encoding, PutRequest, RangeRequest, RequestOp, TxnRequest, from_json,
    };

    #[test]
    fn everything_of_the_json_form_arrives() {
        let text = r#"{
            "compare": [{"target": "value", "key": "a", "result": "!=", "value": "x"},
                        {"target": "mod", "key": "a", "range_end": "b", "result": ">", "value": 7}],
            "success": [{"put": {"key": "a", "value": "1", "prev_kv": true}}, {"get": {"key": "a", "range_end": "c"}}],
            "failure": [{"txn": {"success": [{"del": {"key": "u/", "prefix": true}}]}}]}"#;
        let nested = TxnRequest { success: vec![RequestOp::DeleteRange(DeleteRangeRequest::prefix("u/"))], ..TxnRequest::default() };
        let expected = TxnRequest {
            compare: vec![
                Compare {
                    key: "a".into(),
                    range_end: "".into(),
                    result: CompareResult::NotEqual,
                    target: CompareTarget::Value("x".into()),
                },
                Compare { key: "a".into(), range_end: "b".into(), result: CompareResult::Greater, target: CompareTarget::Mod(7) },
            ],
            success: vec![
                RequestOp::Put(PutRequest { prev_kv: true, ..PutRequest::new("a", "1") }),
                RequestOp::Range(RangeRequest { range_end: "c".into(), ..RangeRequest::key("a") }),
            ],
            failure: vec![RequestOp::Txn(nested)],
        };
        assert_eq!(from_json(text, Encoding::Text).unwrap(), expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let deep = r#"{"success": [{"txn": "#.repeat(16) + "{}" + &"}]}".repeat(16);
        for bad in [
            r#"{"sucess": []}"#,
            r#"{"compare": [{"target": "size", "key": "a", "result": "=", "value": 1}]}"#,
            r#"{"compare": [{"target": "mod", "key": "a", "result": "=", "value": "x"}]}"#,
            r#"{"compare": [{"target": "value", "key": "a", "result": "=", "value": 1}]}"#,
            r#"{"success": [{"get": {"key": ""}}]}"#,
            r#"{"success": [{"del": {"key": "a", "range_end": "b", "prefix": true}}]}"#,
            &deep,
        ] {
            assert!(from_json(bad, Encoding::Text).is_err(), "{bad}");
        }
        let allowed = r#"{"success": [{"txn": "#.repeat(15) + "{}" + &"}]}".repeat(15);
        assert!(from_json(&allowed, Encoding::Text).is_ok());
    }
}
