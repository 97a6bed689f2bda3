//! A counterexample for readers, and as a file.

use std::{fmt::Write, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    catalog::Catalog,
    engine::{Counterexample, Search},
};

/// Where a counterexample was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The world.
    pub world: String,
    /// The configuration or swarm; of a mutant, the bounds of its hunt.
    pub configuration: String,
    /// The mutant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<String>,
    /// The number of the mutant's hunt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunt: Option<usize>,
}

impl Origin {
    /// The world that it names, as it is today.
    pub fn system<'a>(&self, catalog: &'a Catalog) -> Option<&'a Arc<dyn Search>> {
        if let Some(mutant) = &self.mutant {
            let hunts = &catalog.mutant(mutant)?.hunts;
            // Hunts may have been put into another order since.
            let same = hunts.iter().find(|hunt| hunt.bounds == self.configuration);
            return same.or_else(|| hunts.get(self.hunt?)).map(|hunt| &hunt.system);
        }
        let named = |name: &str| name == self.configuration;
        let configuration = catalog.configurations().find(|one| named(one.name)).map(|one| &one.system);
        configuration.or_else(|| catalog.swarms().find(|one| named(one.name)).map(|one| &one.system))
    }

    /// The name of its file.
    pub fn file_name(&self) -> String {
        format!("{}.json", self.mutant.as_ref().unwrap_or(&self.configuration))
    }

    /// The origin in words.
    pub fn describe(&self) -> String {
        match &self.mutant {
            Some(mutant) => format!("mutant {mutant} of world {} ({})", self.world, self.configuration),
            None => format!("{} of world {}", self.configuration, self.world),
        }
    }
}

/// A counterexample as a file: enough to take its actions again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Where it was found.
    #[serde(flatten)]
    pub origin: Origin,
    /// The law that broke.
    pub law: String,
    /// The values that broke it.
    pub values: String,
    /// What happened, for readers of the file; a replay tells it anew.
    pub story: Vec<String>,
    /// The actions.
    pub actions: Value,
}

impl Saved {
    /// What is to be kept of a counterexample.
    pub fn new(origin: Origin, found: &Counterexample) -> Self {
        let Counterexample { law, values, actions, story, .. } = found;
        Self { origin, law: (*law).to_owned(), values: values.clone(), story: story.clone(), actions: actions.clone() }
    }
}

/// A numbered story, and the law at its end.
pub fn told(story: &[String], law: &str, values: &str) -> String {
    let mut text = String::new();
    for (sentence, number) in story.iter().zip(1..) {
        let mut lines = sentence.lines();
        // A string takes whatever is written.
        let _ = writeln!(text, "{number:>4}  {}", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(text, "      {line}");
        }
    }
    let _ = writeln!(text, "      {law} is broken: {values}");
    text
}
