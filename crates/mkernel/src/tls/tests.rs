//! Both ends, on one wire and in virtual time; certificates by `rcgen`.

mod certificates;
mod connections;
mod names;
pub(crate) mod world;
