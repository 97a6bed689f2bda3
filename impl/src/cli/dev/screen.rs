//! What the supervisor shows: a live table on a terminal, plain lines elsewhere.

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
};

use comfy_table::{Cell, Color};
use crossterm::{cursor, execute, terminal};

use crate::api::types::Role;

use super::{
    super::{
        cluster::GroupView,
        failure::Failure,
        output::{Output, lines, table},
    },
    layout::{Layout, Place},
    watch::{Event, Watch},
};

/// Where the table goes and what the commands look like that it names.
#[derive(Debug)]
pub(super) struct Screen {
    output: Output,
    /// Whether stdout is a terminal that shows the live table.
    live: bool,
    /// This program as the user would type it.
    program: String,
    places: Vec<Place>,
    dir: PathBuf,
    groups: usize,
    /// Lines of the table that is on the terminal now.
    drawn: u16,
}

impl Screen {
    /// A screen on which nothing is drawn yet.
    pub(super) fn new(output: Output, live: bool, program: &Path, layout: &Layout) -> Self {
        Self {
            output,
            live,
            program: shown(program),
            places: layout.nodes.clone(),
            dir: layout.dir.clone(),
            groups: layout.groups.len(),
            drawn: 0,
        }
    }

    /// Whether it draws a live table.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// The command that starts a node again by hand.
    pub(super) fn restart_command(&self, place: &Place) -> String {
        let trace = place.trace.as_ref().map_or(String::new(), |folder| format!(" --trace {}", quoted(folder)));
        format!("{} node --config {}{trace}", self.program, quoted(&place.config()))
    }

    /// Says where everything is and what to try.
    pub(super) fn greet(&self, pids: &[u32]) -> Result<(), Failure> {
        if self.output.json {
            return Ok(());
        }
        let out = self.output;
        out.line(&format!("{} nodes, {} groups, in {}; Ctrl-C stops all", self.places.len(), self.groups, quoted(&self.dir)))?;
        for (place, pid) in self.places.iter().zip(pids) {
            out.line(&format!("  node {}  {}  pid {pid}  log {}", place.id, place.endpoint, quoted(&place.log())))?;
        }
        let endpoints = self.endpoints_option();
        out.line("try, in another terminal:")?;
        for command in ["status", "kv put hello world --group 1", "kv get hello --group 1"] {
            out.line(&format!("  {} {command}{endpoints}", self.program))?;
        }
        let first = self.places.first().map(Place::pid).unwrap_or_default();
        out.line(&format!("  kill -9 $(cat {})", quoted(&first)))
    }

    /// The default endpoints are those of a default cluster; others must be named.
    fn endpoints_option(&self) -> String {
        let list = self.places.iter().map(|place| place.endpoint.to_string()).collect::<Vec<_>>().join(",");
        if list == super::super::endpoints::DEFAULT_ENDPOINTS { String::new() } else { format!(" --endpoints {list}") }
    }

    /// Prints the events, and the table below them.
    pub(super) fn show(&mut self, events: &[Event], watch: &Watch, down: &[u32]) -> Result<(), Failure> {
        self.erase()?;
        for event in events {
            self.output.value(event, text)?;
        }
        if self.live { self.draw(watch, down) } else { Ok(()) }
    }

    /// Leaves the terminal as it should be, the last table above the prompt.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        self.drawn = 0;
        if self.live {
            execute!(io::stdout(), cursor::MoveToColumn(0), cursor::Show)?;
        }
        if self.output.json { Ok(()) } else { self.output.line("stopping all nodes; Ctrl-C again to kill them") }
    }

    fn erase(&mut self) -> Result<(), Failure> {
        if self.drawn > 0 {
            execute!(
                io::stdout(),
                cursor::MoveUp(self.drawn),
                cursor::MoveToColumn(0),
                terminal::Clear(terminal::ClearType::FromCursorDown)
            )?;
            self.drawn = 0;
        }
        Ok(())
    }

    /// Draws as many groups as the terminal has room for; a line that wraps could not be erased.
    fn draw(&mut self, watch: &Watch, down: &[u32]) -> Result<(), Failure> {
        let (_, rows) = terminal::size()?;
        let room = usize::from(rows).saturating_sub(4).max(1);
        let mut headings = vec![">GROUP".to_owned(), "LEADER".to_owned(), ">TERM".to_owned(), ">COMMIT".to_owned(), ">WRITES/S".to_owned()];
        headings.extend(self.places.iter().map(|place| format!("NODE {}", place.id)));
        let mut table = table(&headings.iter().map(String::as_str).collect::<Vec<_>>());
        for group in watch.groups.iter().take(room) {
            table.add_row(self.row(group, watch, down));
        }
        let mut text = lines(&table);
        if let Some(more) = watch.groups.len().checked_sub(room).filter(|more| *more > 0) {
            text.push_str(&format!("… and {more} more groups; `{} status --all` shows them\n", self.program));
        }
        let total: f64 = watch.rates.values().sum();
        text.push_str(&format!("{total:.0} writes/s in all\n"));
        let mut stdout = io::stdout().lock();
        execute!(stdout, cursor::Hide, terminal::DisableLineWrap)?;
        stdout.write_all(text.as_bytes())?;
        execute!(stdout, terminal::EnableLineWrap)?;
        self.drawn = u16::try_from(text.lines().count()).unwrap_or(u16::MAX);
        Ok(())
    }

    fn row(&self, group: &GroupView, watch: &Watch, down: &[u32]) -> Vec<Cell> {
        let leader = match group.leader {
            Some(leader) => Cell::new(format!("node {leader}")),
            None => Cell::new("none").fg(Color::Red),
        };
        let rate = watch.rates.get(&group.id).copied().unwrap_or(0.0);
        let mut row = vec![Cell::new(group.id), leader, Cell::new(group.epoch), Cell::new(group.commit), Cell::new(format!("{rate:.0}"))];
        row.extend(self.places.iter().map(|place| {
            let role = group.members.iter().find(|member| member.node == place.id).and_then(|member| member.role);
            match role {
                _ if down.contains(&place.id) => Cell::new("down").fg(Color::Red),
                _ if !watch.is_up(place.id) => Cell::new("starting").fg(Color::Yellow),
                Some(Role::Leader) => Cell::new("leader").fg(Color::Green),
                Some(Role::Follower) => Cell::new("follower"),
                Some(Role::Candidate) => Cell::new("candidate").fg(Color::Yellow),
                Some(Role::None) | None => Cell::new("-"),
            }
        }));
        row
    }
}

fn text(event: &Event) -> String {
    match event {
        Event::Up { node, endpoint, pid } => format!("node {node} is up: {endpoint}, pid {pid}"),
        Event::Down { node, how, restart } => format!("node {node} is down: {how}; start it again: {restart}"),
        Event::Leader { group, leader: Some(leader), epoch } => format!("group {group}: node {leader} leads in term {epoch}"),
        Event::Leader { group, leader: None, epoch } => format!("group {group}: no leader, term {epoch}"),
        Event::Ready { groups, endpoints } => format!("ready: {groups} groups have a leader; endpoints {endpoints}"),
    }
}

/// A path as one would type it here.
fn shown(path: &Path) -> String {
    let here = env::current_dir().ok();
    let relative = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    quoted(relative.as_deref().unwrap_or(path))
}

/// A path that a shell takes as one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+@:".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::{Event, quoted, text};
    use std::path::Path;

    #[test]
    fn paths_can_be_pasted_into_a_shell() {
        assert_eq!(quoted(Path::new("a/b-1.toml")), "a/b-1.toml");
        assert_eq!(quoted(Path::new("my dir/it's")), r"'my dir/it'\''s'");
    }

    /// Scripts wait for the line that begins with "ready".
    #[test]
    fn the_ready_line_begins_with_ready() {
        let ready = Event::Ready { groups: 8, endpoints: "127.0.0.1:7400".to_owned() };
        assert_eq!(text(&ready), "ready: 8 groups have a leader; endpoints 127.0.0.1:7400");
    }
}
