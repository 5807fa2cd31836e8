//! Threads that write and sync at the same time, on a disk whose flushes take long.

use core::cell::Cell;

use blockdev::power_cut::{Limits, Recorder};

use super::*;
use crate::testing::{run, spawn, together};

const THREADS: u8 = 5;
const RECORDS: u8 = 6;
const OCTETS: usize = 300;

/// What was promised: by when in the record of the device, whose file, and how many records of it.
type Promises = Rc<RefCell<Vec<(usize, u8, u8)>>>;

fn path(thread: u8) -> String {
    format!("/{thread}")
}

/// Records from 1 on.
fn records(count: u8) -> Vec<u8> {
    (1..=count).flat_map(|record| [record; OCTETS]).collect()
}

/// As `fsync` where nobody waits: a task cannot.
fn sync_at_once(file: &Opened) -> Result<()> {
    let manner = crate::files::volume::Sync {
        only_data: false,
        waits: false,
    };
    let mut syncing = file.node().volume.clone().sync(manner);
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    match syncing.as_mut().poll(&mut context) {
        core::task::Poll::Ready(outcome) => outcome,
        core::task::Poll::Pending => panic!("it waits"),
    }
}

fn cuts(seed: u64, has_tasks: bool) {
    let (recorder, recording) = Recorder::new(device(256 << 10));
    let tree = Rc::new(mount(recorder.with_slow_flushes(3)).expect("a new file system"));
    let promises = Promises::default();
    let flushed = Rc::new(Cell::new(0));
    let (ours, known) = (promises.clone(), recording.clone());
    run(move || {
        let threads = (0..THREADS).map(|thread| {
            let (tree, promises, known, flushed) =
                (tree.clone(), ours.clone(), known.clone(), flushed.clone());
            spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed * 100 + u64::from(thread));
                for record in 1..=RECORDS {
                    let file = open(&tree, &path(thread));
                    let end = file.node().len();
                    let octets = [record; OCTETS];
                    assert_eq!(file.write_at(end, &[IoSlice::new(&octets)]), Ok(OCTETS));
                    let outcome = match has_tasks && random.u8(..4) == 0 {
                        true => sync_at_once(&file),
                        false => file.sync(random.bool()),
                    };
                    assert_eq!(outcome, Ok(()));
                    flushed.set(flushed.get() + 1);
                    promises
                        .borrow_mut()
                        .push((known.position(), thread, record));
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        together(threads);
    });
    let limits = Limits {
        exhaustive: 4,
        samples: 6,
        seed,
    };
    let promises = promises.borrow();
    let tally = recording.each_cut(&limits, |cut| {
        let tree = mount(cut.device)?;
        let kept = promises
            .iter()
            .filter(|(position, ..)| *position <= cut.last);
        for (_, thread, count) in kept {
            let found = read(&tree, &path(*thread)).unwrap_or_default();
            if !found.starts_with(&records(*count)) {
                return Err(format!("{count} of {thread}: lost {:?}", cut.lost));
            }
        }
        Ok(())
    });
    let tally = tally.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    // Who syncs at the same time shares what is done.
    assert!(
        has_tasks || tally.flushes < 2 * u64::from(THREADS * RECORDS),
        "{tally:?}"
    );
}

#[test]
fn threads_share_commits_and_keep_what_they_were_promised() {
    (0..10).for_each(|seed| cuts(seed, false));
}

#[test]
fn who_cannot_wait_goes_past_a_commit_that_is_suspended() {
    (0..10).for_each(|seed| cuts(seed, true));
}

/// Threads write to one open file at the same time; what is in it then.
fn written_together(flags: i32, is_full: bool) -> Vec<u8> {
    let (recorder, _) = Recorder::new(device(256 << 10));
    let tree = Rc::new(mount(recorder.with_slow_flushes(3)).expect("a new file system"));
    let flags = O_RDWR | O_CREAT | flags;
    let file = tree.open(None, b"/file", flags, 0o644).expect("a file");
    if is_full {
        let large = open(&tree, "/large");
        while large.write(&[IoSlice::new(&[1; 4096])]).is_ok() {}
        tree.remove_file((None, b"/large")).expect("there");
    }
    let known = tree.clone();
    run(move || {
        let threads = (1..=THREADS).map(|thread| {
            let file = file.clone();
            spawn(move || {
                assert_eq!(file.write(&[IoSlice::new(&[thread; OCTETS])]), Ok(OCTETS));
            })
        });
        let threads: Vec<_> = threads.collect();
        together(threads);
    });
    read(&known, "/file").expect("there")
}

#[test]
fn threads_that_write_to_one_open_file_do_not_overwrite_each_other() {
    for (flags, is_full) in [
        (libc::O_SYNC, false),
        (libc::O_APPEND, true),
        (libc::O_APPEND | libc::O_SYNC, true),
        (0, true),
    ] {
        let mut text = written_together(flags, is_full);
        text.sort_unstable();
        assert!(text == records(THREADS), "{flags:o} {is_full}");
    }
}

#[test]
fn what_nobody_syncs_is_durable_after_a_while() {
    let (recorder, recording) = Recorder::new(device(256 << 10));
    let tree = mount(recorder.with_slow_flushes(2)).expect("a new file system");
    run(move || {
        let _file = write(&tree, "/file", b"text");
        pass();
        pass();
    });
    check_text(&recording);
}

/// Has a virtual second and a half pass.
fn pass() {
    crate::wait::wait_until(
        "time to pass",
        Some(miou_rs::Instant::now() + core::time::Duration::from_millis(1500)),
        |_| core::task::Poll::<()>::Pending,
    );
}

/// A cut from now on leaves what was written to `/file`.
fn check_text(recording: &blockdev::power_cut::Recording) {
    let promised = recording.position();
    let checked = recording.each_cut(&Limits::default(), |cut| {
        if cut.last < promised {
            return Ok(());
        }
        let tree = mount(cut.device)?;
        match read(&tree, "/file").as_deref() {
            Some(b"text") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    checked.expect("it is there");
}

#[test]
fn a_host_without_room_is_an_error_until_it_has_some() {
    use blockdev::{FaultError, FaultyDevice};

    let device = Rc::new(RefCell::new(FaultyDevice::new(device(1 << 20))));
    let disk = Disk::new(BlockDevice::new(device.clone()), |error| {
        matches!(error, FaultError::Full { .. })
    });
    let tree = Tree::on(disk, MEMORY).expect("a new file system");
    write(&tree, "/file", b"text");
    assert_eq!(sync(&tree), Ok(()));
    device.borrow_mut().limit(0);
    assert_eq!(
        open(&tree, "/more").write_at(0, &[IoSlice::new(b"more")]),
        fail(ENOSPC)
    );
    assert_eq!(sync(&tree), fail(ENOSPC));
    device.borrow_mut().repair();
    assert_eq!(
        open(&tree, "/more").write_at(0, &[IoSlice::new(b"more")]),
        Ok(4)
    );
    assert_eq!(sync(&tree), Ok(()));
    drop(tree);
    let tree = mount(device).expect("the file system");
    assert_eq!(read(&tree, "/file").as_deref(), Some(&b"text"[..]));
    assert_eq!(read(&tree, "/more").as_deref(), Some(&b"more"[..]));
}

#[test]
fn a_thread_that_only_uses_files_lets_a_commit_that_is_due_go_on() {
    let (recorder, recording) = Recorder::new(device(256 << 10));
    let tree = mount(recorder.with_slow_flushes(2)).expect("a new file system");
    let known = recording.clone();
    run(move || {
        let file = write(&tree, "/file", b"text");
        let later = miou_rs::Instant::now() + core::time::Duration::from_millis(1500);
        crate::scheduler::hold_up_until(later);
        let mut buffer = [0; 4];
        for _ in 0..20 {
            let read = file.read_at(0, &mut [IoSliceMut::new(&mut buffer)]);
            assert_eq!(read, Ok(4));
        }
        check_text(&known);
    });
}

/// A handler asks for what its own thread is about to do, and would wait for itself in the middle of that.
#[test]
fn a_handler_runs_when_the_sync_of_its_thread_has_ended() {
    use libc::SIGUSR1;

    use crate::signals::{self, Action};

    thread_local! {
        static FILE: RefCell<Option<Rc<Opened>>> = const { RefCell::new(None) };
        static SYNCS: Cell<bool> = const { Cell::new(false) };
        static EARLY: Cell<u32> = const { Cell::new(0) };
        static SYNCED: Cell<u32> = const { Cell::new(0) };
    }
    extern "C" fn handler(_signal: core::ffi::c_int) {
        if SYNCS.get() {
            return EARLY.set(EARLY.get() + 1);
        }
        let file = FILE.with_borrow(Clone::clone).expect("a file");
        assert_eq!(file.sync(false), Ok(()));
        SYNCED.set(SYNCED.get() + 1);
    }
    let (recorder, _) = Recorder::new(device(256 << 10));
    let tree = mount(recorder.with_slow_flushes(3)).expect("a new file system");
    run(move || {
        let action = Action {
            handler: handler as *const () as usize,
            flags: 0,
            mask: 0,
        };
        signals::exchange(SIGUSR1, Some(action)).expect("a signal");
        FILE.set(Some(write(&tree, "/file", b"text")));
        let syncer = spawn(|| {
            let file = FILE.with_borrow(Clone::clone).expect("a file");
            SYNCS.set(true);
            assert_eq!(file.sync(false), Ok(()));
            SYNCS.set(false);
            // As where the call returns to the program.
            signals::catch_up();
            assert_eq!((EARLY.get(), SYNCED.get()), (0, 1));
        });
        crate::wait::give_way();
        assert!(SYNCS.get());
        assert_eq!(signals::send(syncer, SIGUSR1), Ok(()));
        together([syncer]);
        FILE.set(None);
    });
}
