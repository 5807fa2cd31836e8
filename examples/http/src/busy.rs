//! Company for the service: a task that computes, for `ci/bench http` to see what that does to it.

use std::hint::black_box;

/// Computes so many steps, yields, and begins anew, without end.
pub(crate) async fn compute(steps: u64) {
    loop {
        spin(steps);
        mkernel::yield_now().await;
    }
}

/// A chain in which each step needs the one before, as in the peers' programs.
fn spin(steps: u64) {
    let mut value = 1_u64;
    for step in 0..steps {
        let product = value.wrapping_mul(6_364_136_223_846_793_005);
        value = black_box(product.wrapping_add(step));
    }
}
