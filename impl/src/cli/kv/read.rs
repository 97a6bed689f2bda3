//! What `get` and `range` have in common: options of a read, and the read itself.

use clap::{Args as ClapArgs, ValueEnum};

use crate::{
    client::Consistency,
    service::kv::{RangeRequest, SortOrder, SortTarget},
};

use super::{
    super::{failure::Failure, output::Output},
    Target,
    print::{Show, range_json, range_text},
};

/// Options of a read.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct Read {
    /// Print values without their keys
    #[arg(long, conflicts_with_all = ["keys_only", "count_only"])]
    value_only: bool,
    /// Print keys without their values
    #[arg(long, conflicts_with = "count_only")]
    keys_only: bool,
    /// Print how many keys there are
    #[arg(long)]
    count_only: bool,
    /// Keys at most; 0: all
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    limit: i64,
    /// Read as of this revision; 0: the newest
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    rev: i64,
    /// What the answer is sorted by
    #[arg(long, value_enum, default_value_t = SortBy::Key)]
    sort_by: SortBy,
    /// Print the greatest first
    #[arg(long)]
    descending: bool,
    /// Whether the answer must hold every write that was acknowledged before, or may be what one node has
    #[arg(long, value_enum, default_value_t = Freshness::Linearizable)]
    consistency: Freshness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortBy {
    Key,
    Version,
    Create,
    Mod,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Freshness {
    Linearizable,
    Stale,
}

impl Read {
    /// Reads a range (with its key and end set) and prints it.
    pub(super) fn run(&self, target: &Target, range: RangeRequest, output: Output) -> Result<(), Failure> {
        let request = self.request(range);
        let consistency = match self.consistency {
            Freshness::Linearizable => Consistency::Linearizable,
            Freshness::Stale => Consistency::Stale,
        };
        let response = target.ask(|kv| async move { kv.range(request, consistency).await })?;
        let encoding = target.encoding();
        output.answer(|| range_json(&response, encoding), || range_text(&response, self.show(), encoding))
    }

    fn request(&self, range: RangeRequest) -> RangeRequest {
        let sort_target = match self.sort_by {
            SortBy::Key => SortTarget::Key,
            SortBy::Version => SortTarget::Version,
            SortBy::Create => SortTarget::Create,
            SortBy::Mod => SortTarget::Mod,
            SortBy::Value => SortTarget::Value,
        };
        RangeRequest {
            limit: self.limit,
            revision: self.rev,
            sort_order: if self.descending { SortOrder::Descend } else { SortOrder::Ascend },
            sort_target,
            keys_only: self.keys_only,
            count_only: self.count_only,
            ..range
        }
    }

    fn show(&self) -> Show {
        match (self.count_only, self.keys_only, self.value_only) {
            (true, _, _) => Show::Count,
            (_, true, _) => Show::Keys,
            (_, _, true) => Show::Values,
            _ => Show::Both,
        }
    }
}
