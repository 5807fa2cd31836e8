//! `pthread.h`, and what of `sched.h`, `semaphore.h` and `unistd.h` belongs to it.
//!
//! Objects have the sizes of glibc's `pthread_mutex_t` and so on; all zeros is a free one, as its static initialisers have it.
//! There is one processor and no preemption, so what these functions change is not changed by others before they wait.

mod attributes;
mod barriers;
mod conditions;
pub(crate) mod keys;
mod mutexes;
mod once;
mod read_write_locks;
mod semaphores;
pub(crate) mod threads;
