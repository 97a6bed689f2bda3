//! The documents tell the truth as far as a program can see it: links lead somewhere, tests that they name exist, programs that they print are compiled.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every document, relative to the root.
fn documents() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new(), PathBuf::from("docs")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            } else if folder.starts_with("docs") && entry.path().is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(found.len() > 10, "the documents are there");
    found
}

/// The parts of a document between code fences, and those within.
fn split_fences(text: &str) -> (String, Vec<(String, String)>) {
    let (mut prose, mut blocks, mut open) = (String::new(), Vec::new(), None::<(String, String)>);
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => open = Some((language.to_owned(), String::new())),
            (None, Some((language, body))) => open = Some((language, body + line + "\n")),
            (None, None) => prose.extend([line, "\n"]),
        }
    }
    assert!(open.is_none(), "a code fence is not closed");
    (prose, blocks)
}

/// A heading as a link names it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn check_link(document: &Path, target: &str, wrong: &mut Vec<String>) {
    if target.contains("://") {
        return;
    }
    let (path, fragment) = target.split_once('#').map_or((target, None), |(path, fragment)| (path, Some(fragment)));
    let file = if path.is_empty() { document.to_owned() } else { document.parent().unwrap().join(path) };
    if !root().join(&file).exists() {
        wrong.push(format!("{}: no file {target}", document.display()));
    } else if let Some(fragment) = fragment {
        let (prose, _) = split_fences(&read(&file));
        if !prose.lines().any(|line| line.starts_with('#') && anchor(line) == fragment) {
            wrong.push(format!("{}: no heading {target}", document.display()));
        }
    }
}

/// Inline code of the form `path` or `path::test`, with a path from the root of the tree.
fn paths(prose: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let spans = prose.split('`').skip(1).step_by(2);
    let in_tree = |span: &&str| {
        let begins = ["spec/", "model/", "tla/", "impl/", "conformance/", "benches/", "fuzz/", "docs/", "ci/", ".ci/"]
            .iter()
            .any(|folder| span.starts_with(folder));
        begins && !span.contains([' ', '*', '{', '\n'])
    };
    spans.filter(in_tree).map(|span| span.split_once("::").map_or((span, None), |(path, test)| (path, Some(test))))
}

/// Whether a file has this test: as a function with the attribute, or by name in the list of a macro that makes tests.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_test =
        |at: usize| lines[at.saturating_sub(4)..at].iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    let function = format!("fn {name}(");
    let defined = (0..lines.len()).any(|at| lines[at].contains(&function) && is_test(at));
    let listed = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([',', ':']));
    defined || ["table! {", "mutants! {", "scenarios!("].iter().any(|list| source.contains(list)) && lines.iter().any(listed)
}

/// Goal: nothing that a document points at is missing. Method: all links, and all inline code that looks like a path of the tree.
#[test]
fn links_and_paths_lead_somewhere() {
    let mut wrong = Vec::new();
    for document in documents() {
        let (prose, _) = split_fences(&read(&document));
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            check_link(&document, link, &mut wrong);
        }
        for (path, test) in paths(&prose) {
            let exists = root().join(path).exists();
            if !exists || test.is_some_and(|test| !has_test(&read(path), test)) {
                wrong.push(format!("{}: no {path}{}", document.display(), test.map_or(String::new(), |test| format!("::{test}"))));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Goal: no item of the plans is ticked without a test, and none is left without a word.
#[test]
fn every_item_is_ticked_by_tests_or_open() {
    let roadmap = read("docs/roadmap.md");
    let (mut ticked, mut open) = (0, 0);
    for line in roadmap.lines().map(str::trim_start) {
        let tests = paths(line).filter(|(_, test)| test.is_some()).count();
        if line.starts_with("- [x] ") {
            assert!(tests > 0 && !line.contains("*open*"), "ticked by no test: {line}");
            ticked += 1;
        } else if line.starts_with("- [ ] ") {
            assert!(line.contains("*open*"), "not ticked, and not open: {line}");
            open += 1;
        } else {
            assert!(!line.starts_with("- ["), "neither ticked nor open: {line}");
        }
    }
    println!("{ticked} ticked, {open} open");
    assert!(ticked > 0 && open > 0, "the items are found");
}

/// Goal: what a reader copies from the book is what was compiled and tested here.
#[test]
fn the_programs_of_the_book_are_the_examples() {
    let (_, blocks) = split_fences(&read("docs/embed.md"));
    let examples = ["embed", "counter"].map(|name| read(format!("impl/examples/{name}.rs")));
    let copied: Vec<&(String, String)> = blocks.iter().filter(|(language, _)| language == "rust,ignore").collect();
    assert!(!copied.is_empty(), "the book shows the example");
    for (_, block) in copied {
        let first = block.lines().next().unwrap_or_default();
        assert!(examples.iter().any(|example| example.contains(block.as_str())), "the block that begins with `{first}` is in no example");
    }
    let lines = examples[0].lines().count();
    assert!(lines < 100, "the example has {lines} lines; the book promises fewer than a hundred");
}

/// Goal: a document that opens a list lists all of it.
#[test]
fn the_index_of_the_book_is_complete() {
    for index in ["docs/README.md", "docs/decisions/README.md"] {
        let (folder, (prose, _)) = (Path::new(index).parent().unwrap(), split_fences(&read(index)));
        let linked: BTreeSet<PathBuf> =
            prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(|link| folder.join(link)).collect();
        let there = documents().into_iter().filter(|path| path.parent() == Some(folder) && path != Path::new(index));
        let missing: Vec<PathBuf> = there.filter(|path| !linked.contains(path)).collect();
        assert!(missing.is_empty(), "{index} does not name {missing:?}");
    }
}

#[test]
fn the_fault_model_is_stated() {
    for document in ["README.md", "CHANGELOG.md"] {
        let text = read(document);
        assert!(
            text.contains("consensus_protocol = \"raft\"") && text.contains("Byzantine"),
            "{document} does not say what Raft tolerates"
        );
    }
}

/// Words of each call of `roadstead` in a shell block, as far as no shell is needed to read them.
fn calls(block: &str) -> impl Iterator<Item = Vec<&str>> {
    let commands = block.lines().flat_map(|line| line.split(" #").next().unwrap_or_default().split(" | "));
    commands.filter_map(|command| {
        let words: Vec<&str> = command.split_whitespace().take_while(|word| !["<", ">", "&"].contains(word)).collect();
        let words = words.strip_prefix(&["cargo", "run", "--release", "--"]).or_else(|| words.strip_prefix(&["roadstead"]));
        words.map(<[&str]>::to_vec)
    })
}

/// The help of a command, or `None` if there is no such command.
fn help(command: &[&str]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_roadstead")).args(command).arg("--help").output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Goal: every command in a document is one that the program knows, with options that it knows. Method: each is looked up in the program's help.
#[test]
fn every_command_in_a_document_exists() {
    let mut known: BTreeMap<Vec<&str>, Option<String>> = BTreeMap::new();
    let texts: Vec<(PathBuf, String)> = documents().into_iter().map(|path| (path.clone(), read(path))).collect();
    let blocks: Vec<(&Path, Vec<(String, String)>)> = texts.iter().map(|(path, text)| (path.as_path(), split_fences(text).1)).collect();
    let shell = |(language, block): &'_ (String, String)| (language == "sh").then(|| block.clone());
    let shell: Vec<(&Path, String)> =
        blocks.iter().flat_map(|(path, blocks)| blocks.iter().filter_map(shell).map(|block| (*path, block))).collect();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (path, words) in shell.iter().flat_map(|(path, block)| calls(block).map(move |words| (path, words))) {
        let of_two = ["group", "kv", "log"].contains(&words[0]) || words.starts_with(&["bench", "plot"]);
        let command = words[..if of_two { 2 } else { 1 }].to_vec();
        let help = known.entry(command.clone()).or_insert_with(|| help(&command));
        let knows =
            |option: &&&str| help.as_ref().is_some_and(|help| help.split_whitespace().any(|word| word.trim_end_matches(',') == **option));
        let unknown: Vec<&&str> = words.iter().filter(|word| word.starts_with("--")).filter(|option| !knows(option)).collect();
        if help.is_none() || !unknown.is_empty() {
            wrong.push(format!("{}: roadstead {}: unknown {unknown:?}", path.display(), words.join(" ")));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 10, "the documents' {count} commands are found");
}

/// Goal: the Chinese README promises what the English one does. Method: the same programs and tests in the same order, and the same commands up to
/// their comments; CI types those of the English one.
#[test]
fn both_readmes_say_the_same() {
    let sides = ["README.md", "README.zh-CN.md"].map(|name| {
        let (prose, blocks) = split_fences(&read(name));
        let named: Vec<String> = paths(&prose).filter(|(_, test)| test.is_some()).map(|(path, _)| path.to_owned()).collect();
        let code: Vec<String> =
            blocks.iter().flat_map(|(_, body)| body.lines()).map(|line| line.split('#').next().unwrap().trim_end().to_owned()).collect();
        (named, code, prose.matches("\n#").count(), prose.matches("\n- ").count())
    });
    assert!(sides[0].0.len() > 20 && sides[0].1.len() > 20, "something is compared");
    assert_eq!(sides[0], sides[1]);
}
