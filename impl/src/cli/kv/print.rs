//! Answers of the key-value service as text (etcdctl's form) and as JSON.
//!
//! JSON has etcd's field names. A key or value that is not UTF-8, or any with `--hex`, is under `key_hex` or `value_hex` instead, so that nothing
//! is ambiguous.

use serde_json::{Map, Value, json};

use crate::service::kv::{DeleteRangeResponse, KeyValue, PutResponse, RangeResponse, ResponseOp, TxnResponse};

use super::text::{Encoding, to_hex};

/// Which part of the found keys is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// Key and value on a line each.
    Both,
    /// Keys.
    Keys,
    /// Values.
    Values,
    /// How many there are.
    Count,
}

fn line(text: &mut Vec<u8>, bytes: &[u8], encoding: Encoding) {
    text.extend(encoding.write(bytes));
    text.push(b'\n');
}

fn items(text: &mut Vec<u8>, kvs: &[KeyValue], show: Show, encoding: Encoding) {
    for kv in kvs {
        if show != Show::Values {
            line(text, &kv.key, encoding);
        }
        if show != Show::Keys {
            line(text, &kv.value, encoding);
        }
    }
}

/// What was found.
pub(super) fn range_text(response: &RangeResponse, show: Show, encoding: Encoding) -> Vec<u8> {
    let mut text = Vec::new();
    match show {
        Show::Count => line(&mut text, response.count.to_string().as_bytes(), Encoding::Text),
        Show::Both | Show::Keys | Show::Values => items(&mut text, &response.kvs, show, encoding),
    }
    text
}

/// `OK`, and what was there before if it was asked for.
pub(super) fn put_text(response: &PutResponse, encoding: Encoding) -> Vec<u8> {
    let mut text = b"OK\n".to_vec();
    items(&mut text, response.prev_kv.as_slice(), Show::Both, encoding);
    text
}

/// How many keys went, and what they held if it was asked for.
pub(super) fn delete_text(response: &DeleteRangeResponse, encoding: Encoding) -> Vec<u8> {
    let mut text = format!("{}\n", response.deleted).into_bytes();
    items(&mut text, &response.prev_kvs, Show::Both, encoding);
    text
}

/// Which branch was done, and what each operation answered, a blank line before each.
pub(super) fn txn_text(response: &TxnResponse, encoding: Encoding) -> Vec<u8> {
    let mut text = if response.succeeded { b"SUCCESS\n".to_vec() } else { b"FAILURE\n".to_vec() };
    for operation in &response.responses {
        text.push(b'\n');
        text.extend(match operation {
            ResponseOp::Range(range) => range_text(range, Show::Both, encoding),
            ResponseOp::Put(put) => put_text(put, encoding),
            ResponseOp::DeleteRange(delete) => delete_text(delete, encoding),
            ResponseOp::Txn(txn) => txn_text(txn, encoding),
        });
    }
    text
}

fn kv_json(kv: &KeyValue, encoding: Encoding) -> Value {
    let mut object = Map::new();
    for (name, bytes) in [("key", &kv.key), ("value", &kv.value)] {
        match std::str::from_utf8(bytes) {
            Ok(text) if encoding == Encoding::Text => object.insert(name.to_owned(), json!(text)),
            _ => object.insert(format!("{name}_hex"), json!(to_hex(bytes))),
        };
    }
    object.insert("create_revision".to_owned(), json!(kv.create_revision));
    object.insert("mod_revision".to_owned(), json!(kv.mod_revision));
    object.insert("version".to_owned(), json!(kv.version));
    object.insert("lease".to_owned(), json!(kv.lease));
    Value::Object(object)
}

fn kvs_json(kvs: &[KeyValue], encoding: Encoding) -> Vec<Value> {
    kvs.iter().map(|kv| kv_json(kv, encoding)).collect()
}

/// The whole answer.
pub(super) fn range_json(response: &RangeResponse, encoding: Encoding) -> Value {
    json!({
        "revision": response.revision,
        "count": response.count,
        "more": response.more,
        "kvs": kvs_json(&response.kvs, encoding),
    })
}

/// The whole answer.
pub(super) fn put_json(response: &PutResponse, encoding: Encoding) -> Value {
    let prev_kv = response.prev_kv.as_ref().map(|kv| kv_json(kv, encoding));
    json!({ "revision": response.revision, "prev_kv": prev_kv })
}

/// The whole answer.
pub(super) fn delete_json(response: &DeleteRangeResponse, encoding: Encoding) -> Value {
    json!({ "revision": response.revision, "deleted": response.deleted, "prev_kvs": kvs_json(&response.prev_kvs, encoding) })
}

/// The whole answer.
pub(super) fn txn_json(response: &TxnResponse, encoding: Encoding) -> Value {
    let responses: Vec<Value> = response
        .responses
        .iter()
        .map(|operation| match operation {
            ResponseOp::Range(range) => json!({ "get": range_json(range, encoding) }),
            ResponseOp::Put(put) => json!({ "put": put_json(put, encoding) }),
            ResponseOp::DeleteRange(delete) => json!({ "del": delete_json(delete, encoding) }),
            ResponseOp::Txn(txn) => json!({ "txn": txn_json(txn, encoding) }),
        })
        .collect();
    json!({ "revision": response.revision, "succeeded": response.succeeded, "responses": responses })
}

#[cfg(test)]
mod tests {
    use super::{
        DeleteRangeResponse, Encoding, KeyValue, PutResponse, RangeResponse, ResponseOp, Show, TxnResponse, json, range_json, range_text,
        txn_json, txn_text,
    };

    fn kv(key: &'static [u8], value: &'static [u8]) -> KeyValue {
        KeyValue { key: key.into(), value: value.into(), create_revision: 2, mod_revision: 3, version: 2, lease: 0 }
    }

    #[test]
    fn get_prints_keys_and_values_on_lines_of_their_own() {
        let response = RangeResponse { revision: 9, kvs: vec![kv(b"a", b"1"), kv(b"b", b"\xff\n")], more: false, count: 2 };
        let check = |show, encoding, expected: &[u8]| assert_eq!(range_text(&response, show, encoding), expected, "{show:?}");
        check(Show::Both, Encoding::Text, b"a\n1\nb\n\xff\n\n");
        check(Show::Both, Encoding::Hex, b"61\n31\n62\nff0a\n");
        check(Show::Keys, Encoding::Text, b"a\nb\n");
        check(Show::Values, Encoding::Text, b"1\n\xff\n\n");
        check(Show::Count, Encoding::Hex, b"2\n");
    }

    #[test]
    fn json_says_when_bytes_are_no_text() {
        let response = RangeResponse { revision: 9, kvs: vec![kv(b"b", b"\xff")], more: true, count: 7 };
        let item = json!({"key": "b", "value_hex": "ff", "create_revision": 2, "mod_revision": 3, "version": 2, "lease": 0});
        assert_eq!(range_json(&response, Encoding::Text), json!({"revision": 9, "count": 7, "more": true, "kvs": [item]}));
        assert_eq!(range_json(&response, Encoding::Hex)["kvs"][0]["key_hex"], "62");
    }

    #[test]
    fn a_transaction_prints_its_branch_and_every_answer() {
        let nested = TxnResponse { revision: 0, succeeded: false, responses: Vec::new() };
        let response = TxnResponse {
            revision: 5,
            succeeded: true,
            responses: vec![
                ResponseOp::Put(PutResponse { revision: 5, prev_kv: Some(kv(b"a", b"old")) }),
                ResponseOp::DeleteRange(DeleteRangeResponse { revision: 5, deleted: 3, prev_kvs: Vec::new() }),
                ResponseOp::Txn(nested),
            ],
        };
        assert_eq!(txn_text(&response, Encoding::Text), b"SUCCESS\n\nOK\na\nold\n\n3\n\nFAILURE\n");
        let json = txn_json(&response, Encoding::Text);
        assert_eq!((&json["succeeded"], &json["responses"][1]["del"]["deleted"]), (&json!(true), &json!(3)));
        assert_eq!(json["responses"][2]["txn"]["succeeded"], false);
    }
}
