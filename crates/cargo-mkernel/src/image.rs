//! OCI images, the same octets for the same content: layers, what a runtime is told of them, and the forms they are written in.

mod date;
mod document;
mod layer;
mod libraries;
mod place;
mod reference;
mod urunc;

pub use date::date;
pub use document::{Contents, Image};
pub use layer::{File, Files, Layer};
pub use libraries::libraries;
pub use place::Place;
pub use reference::Reference;
pub use urunc::{CONFIGURATION, configuration, labels};

#[cfg(test)]
mod tests;
