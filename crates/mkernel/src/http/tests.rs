//! A server and its clients on one wire, in virtual time.

mod bounds;
mod requests;
mod shutdown;
mod version2;
mod world;
