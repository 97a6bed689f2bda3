//! What the rest of the project relies on in the generated code.

use bytes::Bytes;
use prost::Message;
use roadstead_proto::etcdserverpb::{PutRequest, RequestOp, TxnRequest, request_op::Request};

/// A decoded key lies in the buffer that the message came in: nothing is copied.
#[test]
fn byte_strings_are_parts_of_the_buffer() {
    let encoded = Bytes::from(PutRequest { key: "orders/17".into(), value: vec![7; 100].into(), ..PutRequest::default() }.encode_to_vec());
    let range = encoded.as_ptr_range();
    let put = PutRequest::decode(encoded).unwrap();
    assert_eq!(put.key, "orders/17");
    assert!(range.contains(&put.key.as_ptr()) && range.contains(&put.value.as_ptr()));
}

/// Messages that are nested without end are refused before they can exhaust the stack.
#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        (0..depth).fold(TxnRequest::default(), |inner, _| {
            let success = vec![RequestOp { request: Some(Request::RequestTxn(inner)) }];
            TxnRequest { success, ..TxnRequest::default() }
        })
    };
    assert!(TxnRequest::decode(nested(16).encode_to_vec().as_slice()).is_ok());
    assert!(TxnRequest::decode(nested(60).encode_to_vec().as_slice()).is_err());
}
