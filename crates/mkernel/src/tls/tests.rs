//! Both ends, on one wire and in virtual time; certificates by `rcgen`.

mod certificates;
mod connections;
pub(crate) mod world;
