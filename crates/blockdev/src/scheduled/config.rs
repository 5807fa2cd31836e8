/// How much a [`Queue`](super::Queue) does at once, and how much it looks at.
///
/// ```
/// use blockdev::scheduled::Config;
///
/// let config = Config {
///     slice: 16 << 10,
///     ..Config::default()
/// };
/// assert_eq!(config.requests, 128);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes between two turns of other tasks, by default 64 KiB: copying them takes some ten
    /// microseconds. A call of the device counts as 4 KiB at least. One transfer is always done, so
    /// a slice is never less than a block; a flush that the device does not go on with by itself is
    /// a slice of its own.
    pub slice: usize,
    /// Requests among which the queue chooses, by default 128, at least one. Others wait for a place
    /// in the order in which they came.
    pub requests: usize,
    /// Bytes that may be transferred for others while a request waits, by default 1 MiB. Then it is
    /// the next to be done, the oldest first.
    pub patience: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slice: 64 << 10,
            requests: 128,
            patience: 1 << 20,
        }
    }
}
