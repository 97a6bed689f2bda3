//! The admin API of a node, asked as anybody may ask it.

use roadstead::api::types::{GroupList, GroupSpec, GroupStatus};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Lets others than the machine itself change something.
pub(super) const TOKEN: &str = "of-the-nemesis-alone";

/// A node that stands still does not answer.
const ANSWER_MAX: Duration = Duration::from_millis(500);

/// What a node says of its groups.
pub(super) async fn groups(address: SocketAddr) -> io::Result<Vec<GroupStatus>> {
    let body = ask(address, "GET", "", "").await?;
    Ok(serde_json::from_str::<GroupList>(&body).map_err(io::Error::other)?.groups)
}

/// Adds a group. A node that has the number already refuses.
pub(super) async fn add(address: SocketAddr, group: &GroupSpec) -> io::Result<()> {
    let spec = serde_json::to_string(group).map_err(io::Error::other)?;
    ask(address, "POST", "", &spec).await.map(drop)
}

/// Removes a group for good.
pub(super) async fn remove(address: SocketAddr, group: i64) -> io::Result<()> {
    ask(address, "DELETE", &format!("/{group}"), "").await.map(drop)
}

/// The body of the answer.
async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<String> {
    let length = body.len();
    let request = format!(
        "{method} /v1/groups{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    let exchange = async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        socket.read_to_string(&mut text).await?;
        Ok(text.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
    };
    timeout(ANSWER_MAX, exchange).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
