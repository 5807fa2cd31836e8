//! Random numbers.

/// A random number; one that is not, of a system that has none.
pub(crate) fn number() -> u64 {
    let mut number = [0; 8];
    // SAFETY: there is room for eight octets.
    unsafe { libc::getrandom(number.as_mut_ptr().cast(), number.len(), 0) };
    u64::from_le_bytes(number)
}
