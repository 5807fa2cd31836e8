//! Waiting for several promises.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::future::poll_fn;

use crate::{Aborted, Promise};

/// Awaits both. `join!` of tokio and `join` of futures, for tasks; as in Miou's
/// examples.
#[doc(alias = "join")]
pub async fn both<A, B>(a: Promise<A>, b: Promise<B>) -> (Result<A, Aborted>, Result<B, Aborted>) {
    // Both run already: it does not matter which is awaited first.
    let a = a.await;
    let b = b.await;
    (a, b)
}

/// Awaits all, and gives their results in the same order. `join_all` of futures,
/// for tasks; Miou's `await_all`.
#[doc(alias = "join_all")]
pub async fn await_all<T>(
    promises: impl IntoIterator<Item = Promise<T>>,
) -> Vec<Result<T, Aborted>> {
    let promises: Vec<_> = promises.into_iter().collect();
    let mut results = Vec::with_capacity(promises.len());
    for promise in promises {
        results.push(promise.await);
    }
    results
}

/// Awaits the first to end, then cancels the others and waits until they are
/// gone. `select!` of tokio, `race` of others, for tasks; Miou's `await_first`.
///
/// Among several that have ended, one with a value is preferred, then the
/// earlier in the order given.
///
/// # Panics
///
/// If there are no promises.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use miou_rs::{Builder, VirtualClock, await_first, sleep, spawn};
///
/// let first = Builder::new().run_with(VirtualClock::new(), async {
///     await_first((1..=3).map(|n| {
///         spawn(async move {
///             sleep(Duration::from_secs(n)).await;
///             n
///         })
///     }))
///     .await
/// });
/// assert_eq!(first.unwrap(), 1);
/// ```
#[doc(alias = "race")]
#[doc(alias = "select")]
pub async fn await_first<T>(promises: impl IntoIterator<Item = Promise<T>>) -> Result<T, Aborted> {
    let (result, rest) = await_one(promises).await;
    // All are cancelled before the first is waited for.
    let rest: Vec<_> = rest.into_iter().map(Promise::cancel).collect();
    for cancelled in rest {
        // Whatever it was: another was first.
        drop(cancelled.await);
    }
    result
}

/// Awaits the first to end, and gives back the promises of the others, in the
/// same order. `select_all` of futures, for tasks; Miou's `await_one`.
///
/// Among several that have ended, one with a value is preferred, then the
/// earlier in the order given.
///
/// # Panics
///
/// If there are no promises.
#[doc(alias = "select_all")]
pub async fn await_one<T>(
    promises: impl IntoIterator<Item = Promise<T>>,
) -> (Result<T, Aborted>, Vec<Promise<T>>) {
    let mut promises: Vec<_> = promises.into_iter().collect();
    assert!(
        !promises.is_empty(),
        "no promise was given to await; expected at least one"
    );
    let first = poll_fn(|context| poll_any(&mut promises, context)).await;
    let result = promises.remove(first).await;
    (result, promises)
}

/// The index of a promise whose task has ended.
fn poll_any<T>(promises: &mut [Promise<T>], context: &mut Context<'_>) -> Poll<usize> {
    let mut ended = promises
        .iter()
        .enumerate()
        .filter(|(_, promise)| promise.is_finished());
    let first = ended.clone().next();
    if let Some((index, _)) = ended.find(|(_, promise)| promise.has_value()).or(first) {
        return Poll::Ready(index);
    }
    for promise in promises {
        // None has ended, so this only registers the waker.
        let pending = Pin::new(promise).poll(context);
        debug_assert!(pending.is_pending());
    }
    Poll::Pending
}
