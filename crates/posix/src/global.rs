//! What there is once: in a unikernel for the program, whichever of its threads asks, and in a test for the thread that the
//! test runs on.

#[cfg(solo5)]
pub(crate) struct Global<T>(T);

// SAFETY: a Solo5 guest has one virtual processor and no interrupts, and its threads switch only where they call for it: no
// two accesses are concurrent.
#[cfg(solo5)]
unsafe impl<T> Sync for Global<T> {}

#[cfg(solo5)]
impl<T> Global<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// Calls `f`, which must not wait, with the value.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        f(&self.0)
    }
}

/// `global! { static NAME: Type = constant; }`, to be used by `NAME.with(|value| …)`.
macro_rules! global {
    ($($(#[$meta:meta])* $visible:vis static $name:ident: $type:ty = $init:expr;)+) => {
        $(
            $(#[$meta])*
            #[cfg(solo5)]
            $visible static $name: $crate::global::Global<$type> = $crate::global::Global::new($init);
        )+
        #[cfg(not(solo5))]
        std::thread_local! {
            $($(#[$meta])* $visible static $name: $type = const { $init };)+
        }
    };
}
