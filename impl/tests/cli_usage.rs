//! What the command says and how it ends when it is used wrongly, or when nobody answers.

mod free_port;

use std::process::{Command, Output};

fn roadstead(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead"));
    command.args(args).env_remove("ROADSTEAD_ENDPOINTS").env_remove("ROADSTEAD_TOKEN").output().unwrap()
}

/// The exit code, and what stderr must contain; stdout stays empty.
fn check(args: &[&str], code: i32, expected: &[&str]) {
    let output = roadstead(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{args:?}: errors go to stderr only");
    for part in expected {
        assert!(stderr.contains(part), "{args:?} lacks {part:?}:\n{stderr}");
    }
}

/// A port that refuses: its listener is gone again.
fn dead_endpoint() -> String {
    free_port::free_address().to_string()
}

#[test]
fn wrong_usage_ends_with_2() {
    check(&["no-such-command"], 2, &["unrecognized subcommand"]);
    check(&["status", "--endpoints", "nowhere"], 2, &["invalid value 'nowhere'", "HOST:PORT"]);
    check(&["status", "--timeout", "0"], 2, &["a number of seconds above 0"]);
    check(
        &["group", "add", "-1", "--members", "1", "--consensus-protocol", "raft"],
        2,
        &["id: -1 is not allowed; allowed: a whole number, 0 to 2147483647"],
    );
    check(&["group", "add", "1", "--members", "1,1", "--consensus-protocol", "raft"], 2, &["members: 1 is there twice"]);
    check(&["group", "add", "1", "--members", "1,2,3"], 2, &["absent means \"pbft\"", "--consensus-protocol raft"]);
    check(&["log", "show", "--from", "9", "--to", "3"], 2, &["--from 9 lies behind --to 3"]);
    check(&["log", "show", "--group", "-4"], 2, &["-4"]);
    check(&["dev", "--nodes", "8"], 2, &["8 is not in 1..=7"]);
}

#[test]
fn nobody_answering_ends_with_1_and_says_what_to_do() {
    let endpoint = dead_endpoint();
    for command in [&["status"][..], &["group", "list"], &["group", "remove", "3", "--yes"], &["log", "show"]] {
        let args = [command, &["--endpoints", &endpoint]].concat();
        check(&args, 1, &["error: no endpoint answers: ", "Connection refused", "hint: start a node"]);
    }
}

#[test]
fn errors_are_json_when_asked_for() {
    let output = roadstead(&["--json", "status", "--endpoints", &dead_endpoint()]);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&error["code"], output.status.code()), (&serde_json::json!("unavailable"), Some(1)));
    assert!(error["error"].as_str().unwrap().starts_with("no endpoint answers") && error["hint"].is_string(), "{error}");
}

/// Goal: a user who asks for help sees every default and an example. Method: each command that does something, found through its parents.
#[test]
fn every_command_has_help_with_an_example() {
    let mut open = vec![Vec::new()];
    let mut leaves = 0;
    while let Some(command) = open.pop() {
        let args: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let output = roadstead(&args);
        assert!(output.status.success(), "{args:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        let Some((_, list)) = help.split_once("\nCommands:\n") else {
            assert!(help.contains("\nExample"), "{args:?} has no example:\n{help}");
            leaves += 1;
            continue;
        };
        let names = list.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
            open.push(command.iter().cloned().chain([name.to_owned()]).collect());
        }
    }
    assert!(leaves >= 7, "only {leaves} commands found");
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = roadstead(&["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && script.contains("status") && script.contains("endpoints"), "{shell}");
    }
}

/// `roadstead … | head` must not end in an error about the pipe.
#[test]
fn a_closed_pipe_is_no_error() {
    let script = format!("{} completions bash | head -c 1 > /dev/null; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_roadstead"));
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
