//! The admin API as a stranger sees it: one request, one connection, the JSON that comes back.

use serde_json::Value;
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// A node that answers nothing for this long counts as down.
const PATIENCE: Duration = Duration::from_secs(5);

/// The body of `GET path`, or an error if the node is down or does not say that all is well.
pub(crate) fn get(endpoint: &str, path: &str) -> io::Result<Value> {
    serde_json::from_str(&ask(endpoint, "GET", path, "")?).map_err(io::Error::other)
}

/// Sends a JSON body; an error unless the node says that all is well.
pub(crate) fn send(endpoint: &str, method: &str, path: &str, body: &Value) -> io::Result<Value> {
    serde_json::from_str(&ask(endpoint, method, path, &body.to_string())?).map_err(io::Error::other)
}

/// The body of `GET path` as text.
pub(crate) fn text(endpoint: &str, path: &str) -> io::Result<String> {
    ask(endpoint, "GET", path, "")
}

/// The value of a metric without labels.
pub(crate) fn metric(endpoint: &str, name: &str) -> io::Result<f64> {
    let metrics = text(endpoint, "/metrics")?;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.ok_or_else(|| io::Error::other(format!("no metric {name}")))
}

fn ask(endpoint: &str, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(endpoint)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Type: application/json\r\n");
    stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other(format!("no HTTP answer: {answer:?}")))?;
    if !head.starts_with("HTTP/1.1 2") {
        return Err(io::Error::other(answer));
    }
    Ok(body.to_owned())
}
