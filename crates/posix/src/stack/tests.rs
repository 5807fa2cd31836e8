use super::*;

#[test]
fn what_is_written_at_the_end_of_a_stack_is_an_overflow() {
    const SIZE: usize = 16 << 10;
    let memory = allocate(SLACK + SIZE, SLACK + SIZE, 0).expect("memory");
    // SAFETY: it was allocated with this size, and the slack's.
    let stack = unsafe { Stack::new(memory, SIZE) };
    let within = stack.top().wrapping_sub(64);
    assert!(!stack.has_overflown(within));
    assert!(stack.has_overflown(stack.bottom.wrapping_sub(8)));
    // SAFETY: within the stack, on which nothing runs.
    unsafe { stack.bottom.add(8).write(1) };
    assert!(stack.has_overflown(within));
    // SAFETY: allocated above, and not used any more.
    unsafe { libc::free(memory.cast()) };
}

#[test]
fn memory_that_there_is_not_is_none() {
    assert!(allocate(isize::MAX as usize, isize::MAX as usize, 0).is_none());
    assert!(allocate(4096, 4096, isize::MAX as usize).is_none());
}
