//! Images made by the tools that everybody makes them with, and ones that nobody should.

mod damaged;
mod fat;
mod images;
mod paths;
mod power;
mod read;
mod write;
