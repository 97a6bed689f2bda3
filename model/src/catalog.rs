//! Everything that can be searched, by name.
//!
//! A world registers itself with one function, which [`Catalog::all`] calls:
//!
//! ```text
//! pub fn register(catalog: &mut Catalog) {
//!     let raft = catalog.world("raft", "members, disks that lose what they did not sync, a network, clients");
//!     raft.search("raft-quick", Tier::Quick, "3 members, 2 terms, 1 request", Raft::new(QUICK)).golden(97_111, 40);
//!     raft.walks("raft-swarm", Tier::Ci, "5 members, 6 terms", Raft::new(WIDE), Plan::steps(1, 100_000_000).length(300));
//!     raft.mutant("B-C01", "commits an entry of an older term by counting", "logcabin/logcabin#44", &["I-R4", "I-R5"])
//!         .breadth("3 members, 4 terms", Raft::new(DEEP).with(C01), Limits::states(1_000_000))
//!         .walks("5 members", Raft::new(WIDE).with(C01), Plan::steps(1, 50_000_000))
//!         .script("figure 8", Raft::new(DEEP).with(C01), &[Action::Timeout(0), ..]);
//!     raft.coverage(coverage);
//! }
//! ```

mod entry;
mod mutant;

pub use entry::{Configuration, CoverageRow, Golden, Swarm, Tier, WorldEntry};
pub use mutant::{Hunt, Mutant, Way};

/// What registers a world.
type Register = fn(&mut Catalog);

/// Every world of this crate.
const WORLDS: &[Register] = &[
    crate::raft::register,
    crate::dispatcher::register,
    crate::negotiation::register,
    crate::storage::register,
    crate::composed::register,
];

/// All worlds with their configurations, walks and mutants.
#[derive(Default)]
pub struct Catalog {
    /// The worlds, in the order in which they are shown.
    pub worlds: Vec<WorldEntry>,
}

impl Catalog {
    /// Every world of this crate.
    pub fn all() -> Self {
        let mut catalog = Self::default();
        WORLDS.iter().for_each(|register| register(&mut catalog));
        catalog
    }

    /// Adds a world.
    pub fn world(&mut self, name: &'static str, summary: &'static str) -> &mut WorldEntry {
        self.worlds.push(WorldEntry::new(name, summary));
        self.worlds.last_mut().expect("it was just added")
    }

    /// Every exhaustive configuration.
    pub fn configurations(&self) -> impl Iterator<Item = &Configuration> {
        self.worlds.iter().flat_map(|world| &world.configurations)
    }

    /// Every random one.
    pub fn swarms(&self) -> impl Iterator<Item = &Swarm> {
        self.worlds.iter().flat_map(|world| &world.swarms)
    }

    /// Every mutant.
    pub fn mutants(&self) -> impl Iterator<Item = &Mutant> {
        self.worlds.iter().flat_map(|world| &world.mutants)
    }

    /// A world's entry.
    pub fn entry(&self, world: &str) -> Option<&WorldEntry> {
        self.worlds.iter().find(|entry| entry.name == world)
    }

    /// A mutant.
    pub fn mutant(&self, id: &str) -> Option<&Mutant> {
        self.mutants().find(|mutant| mutant.id == id)
    }
}
