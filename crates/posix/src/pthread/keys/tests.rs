use super::*;
use crate::testing::{run, spawn, together};

std::thread_local!(static ENDED: Cell<usize> = const { Cell::new(0) });

unsafe extern "C" fn count(value: *mut c_void) {
    ENDED.with(|ended| ended.set(ended.get() + value.addr()));
}

fn key(destructor: Destructor) -> pthread_key_t {
    let mut key = 0;
    // SAFETY: a place.
    assert_eq!(unsafe { pthread_key_create(&raw mut key, destructor) }, 0);
    key
}

fn number(number: usize) -> *mut c_void {
    ptr::without_provenance_mut(number)
}

#[test]
fn each_thread_has_its_value_and_gives_it_to_the_destructor() {
    run(|| {
        let key = key(Some(count));
        assert_eq!(pthread_setspecific(key, number(1_000)), 0);
        let threads = [1, 2, 3].map(|value| {
            spawn(move || {
                assert!(pthread_getspecific(key).is_null());
                assert_eq!(pthread_setspecific(key, number(value)), 0);
                crate::wait::give_way();
                assert_eq!(pthread_getspecific(key), number(value));
            })
        });
        together(threads);
        assert_eq!(ENDED.with(Cell::get), 6);
        assert_eq!(pthread_getspecific(key), number(1_000));
    });
}

#[test]
fn a_key_that_is_made_anew_has_no_values() {
    run(|| {
        let first = key(None);
        assert_eq!(pthread_setspecific(first, number(1)), 0);
        assert_eq!(pthread_key_delete(first), 0);
        assert_eq!(pthread_key_delete(first), EINVAL);
        assert_eq!(pthread_setspecific(first, number(1)), EINVAL);
        let second = key(None);
        assert_eq!(first, second);
        assert!(pthread_getspecific(second).is_null());
    });
}

#[test]
fn keys_are_128() {
    run(|| {
        for _ in 0..KEYS {
            key(None);
        }
        let mut one_more = 0;
        // SAFETY: a place.
        let error = unsafe { pthread_key_create(&raw mut one_more, None) };
        assert_eq!(error, EAGAIN);
    });
}
