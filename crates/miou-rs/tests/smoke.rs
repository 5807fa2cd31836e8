//! First tests.

use miou_rs::*;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

fn go<F: Future>(f: F) -> F::Output {
    Builder::new().run_with(VirtualClock::new(), f)
}

#[test]
fn basics() {
    let log = Rc::new(RefCell::new(vec![]));
    let out = go(async {
        let a = spawn({
            let log = log.clone();
            async move {
                for i in 0..3 {
                    log.borrow_mut().push(("a", i));
                    yield_now().await;
                }
                1
            }
        });
        let b = spawn({
            let log = log.clone();
            async move {
                for i in 0..3 {
                    log.borrow_mut().push(("b", i));
                    yield_now().await;
                }
                2
            }
        });
        let p = spawn(async {
            if true {
                panic!("boo")
            }
        });
        let s = spawn(async {
            sleep(Duration::from_secs(5)).await;
            Instant::now()
        });
        let c = spawn(async {
            sleep(Duration::from_secs(50)).await;
        });
        assert!(p.await.unwrap_err().is_panicked());
        assert!(c.cancel().await.unwrap_err().is_cancelled());
        assert_eq!(s.await.unwrap().as_nanos(), 5_000_000_000);
        let _forgotten = spawn(async {
            sleep(Duration::from_secs(50)).await;
        });
        if !cfg!(miri) {
            std::mem::forget(spawn(async {
                sleep(Duration::from_secs(50)).await;
            }));
        }
        both(a, b).await
    });
    assert_eq!(out.0.unwrap() + out.1.unwrap(), 3);
    assert_eq!(
        *log.borrow(),
        [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    );
}

#[test]
fn outlive() {
    let p = go(async { spawn(async { 5 }) });
    assert!(p.is_finished());
    drop(p);
    let w =
        go(async { std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone())).await });
    let w2 = w.clone();
    w.wake();
    std::thread::spawn(move || {
        w2.wake_by_ref();
        drop(w2)
    })
    .join()
    .unwrap();
}

#[test]
fn deep() {
    go(async {
        fn nest(n: u32) -> Promise<()> {
            spawn(async move {
                if n > 0 {
                    let p = nest(n - 1);
                    p.await.unwrap();
                } else {
                    std::future::pending::<()>().await
                }
            })
        }
        let p = nest(10_000);
        for _ in 0..10_010 {
            yield_now().await;
        }
        drop(p);
        assert_eq!(stats().alive, 1);
    });
}
#[cfg(feature = "host")]
#[test]
fn threads() {
    run(async {
        for _ in 0..10 {
            let mut n = 0;
            std::future::poll_fn(|cx| {
                n += 1;
                if n < 3 {
                    let w = cx.waker().clone();
                    std::thread::spawn(move || {
                        let _x = w.clone();
                        w.wake()
                    });
                    std::task::Poll::Pending
                } else {
                    std::task::Poll::Ready(())
                }
            })
            .await;
        }
    });
}
