//! Rows of the list of bugs that this world cannot put back today, each with what it waits for.

/// A row and what it waits for.
pub const ABSENT: &[(&str, &str)] = &[
    ("E09, E11 as races of threads", "a step is atomic: nothing comes between a check and what rests on it; their outcomes are put back"),
    ("E20, E21", "leadership transfer"),
    ("E22", "settings that differ between members: pre-vote and the check of the quorum have no switch"),
    ("E24, F36", "time in milliseconds: the simulation of `impl`"),
    ("C13", "several completions in flight: tickets complete in order, and one mark stands for the earlier ones"),
    ("C15", "a message that names the compacted entry 0: `LogShape::slice` makes none below its base, and that is no rule"),
    ("C17", "a stored commit index: there is none"),
    ("C18, S08, S09, F34, Q08", "counters, buffers, streams and threads of the driver: the simulation of `impl` and its crash tests"),
    ("F21", "entries are their ids, so they cannot part from their terms here: DUTY-4"),
    ("C25, F24, F25", "client sessions; what a state machine answers"),
    ("C30, M01 to M18 but M15, N2, N7, Q01 to Q07", "membership changes and quiescence"),
    ("M19", "a negative control of joint configurations: membership changes"),
    ("R05, R10, R12", "leases, leadership transfer, handover between groups"),
    ("S12, S13, F10, F32, F33", "files and keys: the world of the store"),
    ("F30", "slow, not wrong: the control `B-0-one-step-back` keeps it green"),
    ("P1 to P22", "PBFT: not built"),
    ("O09, O10, O12, O14, O15", "options, client redirects and build settings of another system"),
];
