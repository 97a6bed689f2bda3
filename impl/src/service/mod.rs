//! The services that come with Roadstead, by the names that configuration knows them by.

use crate::state_machine::StateMachine;

pub mod kv;

/// Makes a service's state machine, empty.
pub type Make = fn() -> Box<dyn StateMachine>;

/// All services, by name.
pub const SERVICES: &[(&str, Make)] = &[("kv", || Box::<kv::Kv>::default())];

/// A new state machine of the service with this name; `None` if there is none such (the names are [`names`]).
pub fn create(name: &str) -> Option<Box<dyn StateMachine>> {
    SERVICES.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

/// The names of all services.
pub fn names() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_found_by_name() {
        assert!(names().all(|name| create(name).is_some()));
        assert!(names().eq(["kv"]));
        assert!(create("KV").is_none() && create("").is_none());
    }
}
