//! The admin API as a stranger sees it: one request, one connection, the JSON that comes back.

use serde_json::Value;
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// A node that answers nothing for this long counts as down.
const PATIENCE: Duration = Duration::from_secs(5);

/// The body of `GET path`, or an error if the node is down or does not say 200.
pub(crate) fn get(endpoint: &str, path: &str) -> io::Result<Value> {
    let mut stream = TcpStream::connect(endpoint)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other(format!("no HTTP answer: {answer:?}")))?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(io::Error::other(answer));
    }
    serde_json::from_str(body).map_err(io::Error::other)
}
