//! Waiting for a time.

pub(crate) mod wheel;

use core::fmt;
use core::marker::PhantomData;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::future::poll_fn;

use futures_core::Stream;

use crate::Instant;
use crate::scheduler;
use wheel::Key;

/// Waits until `duration` has passed since this call.
///
/// # Panics
///
/// Outside of a scheduler.
///
/// ```
/// use std::time::Duration;
/// use miou_rs::{Builder, VirtualClock, sleep};
///
/// Builder::new().run_with(VirtualClock::new(), async {
///     sleep(Duration::from_secs(1)).await;
/// });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant::now() + duration)
}

/// Waits until `deadline`; [`Instant::FAR_FUTURE`] is never.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        alarm: Alarm::new(deadline),
        marker: PhantomData,
    }
}

/// The future of [`sleep`] and [`sleep_until`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    alarm: Alarm,
    /// Belongs to the scheduler's thread.
    marker: PhantomData<*const ()>,
}

impl Sleep {
    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.alarm.deadline
    }

    /// Has it end at `deadline` instead; also when it has ended already.
    pub fn reset(&mut self, deadline: Instant) {
        self.alarm.reset(deadline);
    }
}

impl Future for Sleep {
    type Output = ();

    /// # Panics
    ///
    /// Outside of a scheduler.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.alarm.poll(context)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}

/// What a [`Sleep`] does. On another thread it knows no timer of its scheduler's any more, which may then
/// wake in vain.
pub(crate) struct Alarm {
    deadline: Instant,
    /// The timer, and the run that it belongs to.
    registered: Option<(Key, u64)>,
}

impl Alarm {
    pub(crate) fn new(deadline: Instant) -> Self {
        Self {
            deadline,
            registered: None,
        }
    }

    pub(crate) fn reset(&mut self, deadline: Instant) {
        self.unregister();
        self.deadline = deadline;
    }

    fn unregister(&mut self) {
        let Some((key, run)) = self.registered.take() else {
            return;
        };
        scheduler::try_with(|local| {
            // The timers of other runs are gone with them, those that fired
            // are gone too.
            if local.id == run {
                let waker = {
                    let mut timers = local.timers.borrow_mut();
                    timers.remove(key, self.deadline)
                };
                drop(waker);
            }
        });
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        scheduler::with(|local| {
            let deadline = self.deadline;
            if local.timers.borrow().has_fired(deadline) {
                self.registered = None;
                return Poll::Ready(());
            }
            match self.registered {
                Some((key, run)) if run == local.id => {
                    // Cloned and dropped while nothing is borrowed: a waker
                    // that is not ours may do anything.
                    if local.timers.borrow().wakes(key, context.waker()) {
                        return Poll::Pending;
                    }
                    let waker = context.waker().clone();
                    let former = local.timers.borrow_mut().set_waker(key, waker);
                    drop(former);
                    Poll::Pending
                }
                _ => {
                    if local.now() >= deadline {
                        return Poll::Ready(());
                    }
                    let waker = context.waker().clone();
                    let key = local.timers.borrow_mut().insert(deadline, waker);
                    self.registered = Some((key, local.id));
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.unregister();
    }
}

/// Ticks at regular times, the first of them `period` from now.
///
/// # Panics
///
/// If `period` is zero, and outside of a scheduler.
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "the period of an interval is zero; expected more"
    );
    Interval {
        period,
        sleep: sleep(period),
    }
}

/// See [`interval`]. It is a [`Stream`] of its ticks.
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    sleep: Sleep,
}

impl Interval {
    /// Waits for the next tick, and gives the time for which it was set.
    ///
    /// A tick that was waited for too late comes at once; those that passed
    /// meanwhile are left out, so that the ticks stay at multiples of the
    /// period from the start. Dropping the future loses no tick.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|context| self.poll_tick(context)).await
    }

    fn poll_tick(&mut self, context: &mut Context<'_>) -> Poll<Instant> {
        ready!(Pin::new(&mut self.sleep).poll(context));
        let due = self.sleep.deadline();
        let period = crate::instant::saturating_nanos(self.period);
        let late = Instant::now().saturating_duration_since(due);
        let missed = crate::instant::saturating_nanos(late) / period;
        let next = period.saturating_mul(missed.saturating_add(1));
        self.sleep.reset(due + Duration::from_nanos(next));
        Poll::Ready(due)
    }
}

/// The [ticks](Interval::tick), without end.
impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(context).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

/// Gives `future` no more than `duration`, counted from the first poll.
///
/// # Errors
///
/// [`Elapsed`] when the time has passed first; the future is then dropped, and
/// with it the tasks whose promises it holds. When both happen at once, the
/// result counts.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use miou_rs::{Builder, VirtualClock, sleep, timeout};
///
/// Builder::new().run_with(VirtualClock::new(), async {
///     let slow = sleep(Duration::from_secs(60));
///     assert!(timeout(Duration::from_secs(1), slow).await.is_err());
/// });
/// ```
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut sleep = sleep(duration);
    poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(value));
        }
        Pin::new(&mut sleep).poll(context).map(|()| Err(Elapsed))
    })
    .await
}

/// The time given to [`timeout`] has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time given has passed")
    }
}

impl core::error::Error for Elapsed {}
