use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use miou_rs::{Promise, spawn, stats, tasks, yield_now};

use crate::run;

/// More of one kind than are allocated one by one, and more than a page holds
/// of the larger ones.
const MANY: usize = if cfg!(miri) { 24 } else { 300 };

/// Large ones, over which Miri is slow.
const FEW: usize = if cfg!(miri) { 3 } else { 100 };

/// A future that waits until it is polled twice, and checks where it is.
struct There<F>(F, u32, Rc<Cell<usize>>);

impl<F: Copy + PartialEq + Unpin> Future for There<F> {
    type Output = [F; 3];

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        assert_eq!((&raw const self.0).addr() % align_of::<F>(), 0);
        self.1 += 1;
        if self.1 == 1 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready([self.0; 3])
    }
}

impl<F> Drop for There<F> {
    fn drop(&mut self) {
        self.2.set(self.2.get() + 1);
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(64))]
struct A64([u8; 64]);
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(512))]
struct A512([u8; 512]);
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(16384))]
struct A16384([u8; 16384]);

/// Many futures of one type; every other is cancelled, and the places of those
/// are taken by others before the rest goes on.
async fn come_and_go<F>(many: usize, filled: F)
where
    F: Copy + PartialEq + Unpin + std::fmt::Debug + 'static,
{
    let dropped = Rc::new(Cell::new(0));
    let there = || There(filled, 0, dropped.clone());
    let mut promises: Vec<_> = (0..many).map(|_| Some(spawn(there()))).collect();
    for promise in promises.iter_mut().step_by(2) {
        drop(promise.take());
    }
    assert_eq!(dropped.get(), many.div_ceil(2));
    for promise in promises.iter_mut().step_by(3) {
        *promise = Some(spawn(there()));
    }
    let left = promises.iter().flatten().count();
    assert_eq!(stats().alive, tasks().len());
    for promise in promises.into_iter().flatten() {
        assert_eq!(promise.await.unwrap(), [filled; 3]);
    }
    assert_eq!(tasks().len(), 1);
    // Half of those replaced were there already, and were dropped for it.
    assert!(dropped.get() >= many.div_ceil(2) + left);
}

#[test]
fn futures_and_values_of_all_sizes_and_alignments() {
    run(async {
        come_and_go(MANY, ()).await;
        come_and_go(MANY, 7_u8).await;
        come_and_go(MANY, [1_u16; 3]).await;
        come_and_go(MANY, u128::MAX).await;
        come_and_go(MANY, [3_u8; 100]).await;
        come_and_go(MANY, [5_u64; 57]).await;
        come_and_go(MANY, [6_u64; 70]).await;
        come_and_go(MANY, A64([8; 64])).await;
        come_and_go(FEW, A512([9; 512])).await;
        come_and_go(FEW, [7_u64; 2_000]).await;
        come_and_go(FEW, A16384([10; 16384])).await;
    });
}

#[test]
fn a_value_or_a_panic_may_be_larger_than_the_future() {
    run(async {
        for round in 0..FEW {
            let value = spawn(async { A16384([1; 16384]) });
            let small = spawn(async { A64([2; 64]) });
            let panic = spawn(async { panic!("on purpose") });
            if round % 3 == 0 {
                drop(value);
                assert_eq!(small.await.unwrap(), A64([2; 64]));
            } else {
                assert_eq!(value.await.unwrap(), A16384([1; 16384]));
            }
            let panic: Result<(), _> = panic.await;
            assert!(panic.unwrap_err().is_panicked());
        }
    });
}

#[test]
fn places_of_several_kinds_come_and_go_in_any_order() {
    let turns = if cfg!(miri) { 300 } else { 100_000 };
    let mut random = 1_u64;
    let mut below = move |bound: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % bound
    };
    run(async move {
        let mut held: [Vec<Promise<()>>; 5] = Default::default();
        for turn in 0..turns {
            // Grows for a while, then shrinks.
            let grows = below(10) < if turn % 2_000 < 1_000 { 7 } else { 3 };
            let kind = below(held.len());
            if grows {
                held[kind].push(match kind {
                    0 => spawn(pending()),
                    1 => spawn(waits([kind; 1])),
                    2 => spawn(waits([kind; 20])),
                    3 => spawn(waits([kind; 50])),
                    _ => spawn(waits([kind; 300])),
                });
            } else if !held[kind].is_empty() {
                let chosen = below(held[kind].len());
                drop(held[kind].swap_remove(chosen));
            }
            if turn % 50 == 0 {
                yield_now().await;
                let count: usize = held.iter().map(Vec::len).sum();
                assert_eq!(tasks().len(), count + 1);
            }
        }
    });
}

async fn waits<const N: usize>(held: [usize; N]) {
    pending::<()>().await;
    std::hint::black_box(held);
}

/// What stays of a page when the scheduler has ended.
#[test]
fn wakers_and_promises_keep_their_page_beyond_the_scheduler() {
    struct Waits(Rc<RefCell<Vec<Waker>>>);
    impl Future for Waits {
        type Output = Rc<()>;
        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Rc<()>> {
            self.0.borrow_mut().push(context.waker().clone());
            Poll::Pending
        }
    }
    let value = Rc::new(());
    let (mut wakers, promises) = run(async {
        let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
        let promises: Vec<_> = (0..MANY).map(|_| spawn(Waits(wakers.clone()))).collect();
        let values: Vec<_> = (0..MANY)
            .map(|_| {
                let value = value.clone();
                spawn(async { value })
            })
            .collect();
        yield_now().await;
        yield_now().await;
        // Some tasks go now, with promise and waker, others with one of them.
        let mut wakers = wakers.take();
        let mut promises: Vec<_> = promises.into_iter().chain(values).collect();
        wakers.drain(..MANY / 4);
        promises.drain(..MANY / 2);
        (wakers, promises)
    });
    assert_eq!(Rc::strong_count(&value), 1 + MANY);
    let others = wakers.split_off(wakers.len() / 2);
    let clones: Vec<_> = others.iter().step_by(2).cloned().collect();
    let threads = [wakers, others, clones].map(|wakers| {
        thread::spawn(move || {
            for waker in wakers {
                let clone = waker.clone();
                waker.wake();
                clone.wake_by_ref();
            }
        })
    });
    drop(promises);
    assert_eq!(Rc::strong_count(&value), 1);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A destructor that changes the pages while the scheduler ends.
#[test]
fn the_end_finds_every_task_whatever_comes_and_goes_meanwhile() {
    struct Changes {
        dropped: Rc<Cell<usize>>,
        others: Rc<RefCell<Vec<Promise<()>>>>,
        number: usize,
    }
    impl Drop for Changes {
        fn drop(&mut self) {
            self.dropped.set(self.dropped.get() + 1);
            // One elsewhere goes, and new ones of several kinds come.
            let other = self.others.borrow_mut().pop();
            drop(other);
            if self.number.is_multiple_of(2) {
                let promise = spawn(waits([self.number; 4]));
                assert!(promise.is_finished());
                self.others.borrow_mut().push(promise);
                drop(spawn(waits([self.number; 200])));
            }
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let others: Rc<RefCell<Vec<Promise<()>>>> = Rc::default();
    run(async {
        for number in 0..MANY {
            let changes = Changes {
                dropped: dropped.clone(),
                others: others.clone(),
                number,
            };
            let promise = spawn(async move {
                let _changes = changes;
                pending::<()>().await;
            });
            others.borrow_mut().push(promise);
        }
        yield_now().await;
    });
    assert_eq!(dropped.get(), MANY);
    others.take();
}

/// More wakers than the owner's word counts; the other one takes the rest.
#[test]
fn a_million_wakers_of_one_task() {
    let count = if cfg!(miri) { 100 } else { 1_200_000 };
    run(async move {
        let waker = Rc::new(Cell::new(None));
        let promise = spawn({
            let waker = waker.clone();
            poll_fn(move |context| {
                waker.set(Some(context.waker().clone()));
                Poll::<()>::Pending
            })
        });
        yield_now().await;
        let waker: Waker = waker.take().unwrap();
        let mut wakers: Vec<_> = (0..count).map(|_| waker.clone()).collect();
        let elsewhere = wakers.split_off(count / 2);
        // As many again, which come home.
        let clones = thread::spawn(move || {
            let clones: Vec<_> = elsewhere.iter().cycle().take(count).cloned().collect();
            drop(elsewhere);
            clones
        });
        let clones = clones.join().unwrap();
        drop((wakers, promise));
        yield_now().await;
        waker.wake_by_ref();
        drop(clones);
        waker.wake();
        assert_eq!(tasks().len(), 1);
    });
}
