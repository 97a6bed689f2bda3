//! Every decision of the papers, named and cited.

/// The decisions of the papers as default methods.
pub trait Rules {}

/// Overrides nothing.
#[derive(Clone, Copy, Debug)]
pub struct Paper;

impl Rules for Paper {}
