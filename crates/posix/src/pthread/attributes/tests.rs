use core::mem::MaybeUninit;
use core::ptr;

use super::*;
use crate::testing::run;
use crate::thread;

#[test]
fn what_is_set_is_told() {
    let mut place = MaybeUninit::uninit();
    let attributes = place.as_mut_ptr();
    let (mut size, mut state) = (0, -1);
    // SAFETY: a place, which the first call initialises, and places for what is told.
    unsafe {
        assert_eq!(pthread_attr_init(attributes), 0);
        assert_eq!(pthread_attr_getstacksize(attributes, &raw mut size), 0);
        assert_eq!(size, DEFAULT_STACK);
        assert_eq!(
            pthread_attr_setstacksize(attributes, LEAST_STACK - 1),
            EINVAL
        );
        assert_eq!(pthread_attr_setstacksize(attributes, LEAST_STACK), 0);
        assert_eq!(pthread_attr_getstacksize(attributes, &raw mut size), 0);
        assert_eq!(size, LEAST_STACK);
        assert_eq!(pthread_attr_setdetachstate(attributes, 2), EINVAL);
        assert_eq!(
            pthread_attr_setdetachstate(attributes, PTHREAD_CREATE_DETACHED),
            0
        );
        assert_eq!(pthread_attr_getdetachstate(attributes, &raw mut state), 0);
        assert_eq!(state, PTHREAD_CREATE_DETACHED);
        assert_eq!(pthread_attr_destroy(attributes), 0);
    }
}

#[test]
fn a_thread_is_on_its_stack() {
    run(|| {
        let own = thread::current().expect("a thread");
        let mut place = MaybeUninit::uninit();
        let (mut bottom, mut size) = (ptr::null_mut(), 0);
        // SAFETY: a thread that is there, and places.
        unsafe {
            let number = ptr::from_ref(own).expose_provenance() as pthread_t;
            assert_eq!(pthread_getattr_np(number, place.as_mut_ptr()), 0);
            let told = pthread_attr_getstack(place.as_ptr(), &raw mut bottom, &raw mut size);
            assert_eq!(told, 0);
        }
        let here = (&raw const size).addr();
        assert!((bottom.addr()..bottom.addr() + size).contains(&here));
    });
}
