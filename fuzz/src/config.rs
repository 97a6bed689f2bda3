//! Configuration files. Input: the file.

use roadstead::config::NodeConfig;
use std::path::Path;

pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match NodeConfig::parse(Path::new("node.toml"), text) {
        Ok(config) => {
            let again = NodeConfig::parse(Path::new("node.toml"), text).expect("the same file is read the same way");
            assert_eq!(format!("{again:?}"), format!("{config:?}"));
            assert!(config.timers.check().is_ok() && config.limits.check().is_ok(), "what is accepted is in range");
            assert!(config.groups.iter().all(|group| group.members.contains(&config.node)), "a node hosts its own groups");
        }
        Err(error) => assert!(error.to_string().contains("node.toml"), "an error says where: {error}"),
    }
}
