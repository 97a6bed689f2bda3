//! The pieces of the store, and what they name of their surroundings: data, and nothing that threads share.

#[path = "../../../impl/src/store/held.rs"]
pub(crate) mod held;
#[path = "../../../impl/src/store/progress.rs"]
pub(crate) mod progress;
#[path = "../../../impl/src/store/queue.rs"]
pub(crate) mod queue;

pub(crate) mod prefix {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Local(pub(crate) u32);
}

pub(crate) mod submission {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Completion {
        pub(crate) local: super::prefix::Local,
        pub(crate) ticket: u64,
    }
}

pub(crate) mod witness {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Mark {
        pub(crate) batch: u64,
    }
}

pub(crate) mod rounds {
    pub(crate) struct Committed {
        pub(crate) completions: Vec<super::submission::Completion>,
        pub(crate) mark: super::witness::Mark,
        pub(crate) urgent: bool,
    }
}

pub(crate) mod storage {
    #[derive(Debug)]
    pub(crate) struct StorageError;
}
