//! A unikernel on spt, the example `inetd`, that is attacked from the network, with little memory and with much. It
//! lives, and honest clients are served while the attack lasts and afterwards.
//!
//! - [`out_of_order`]: single octets that are not next to each other, and gaps that nobody fills.
//! - [`windows`]: closed ones, those of slow readers, and segments of no more than a few octets.
//! - [`connections`]: more idle ones, half-open ones and ones in TIME-WAIT than there is room for.
//! - [`beneath`]: echo replies and fragments in great number, and noise.
//! - [`ipv6`]: neighbour discovery, and fragments of IPv6, in great number.
//! - [`http`]: slow clients of HTTP, and of TLS below it.
//! - [`http2`]: frames of HTTP/2 that no honest client sends.
//! - [`tls`]: records that none sends, and handshakes that are not finished.
//! - [`std_sockets`]: all of these on a program of std's sockets and threads, and on one of tokio's.
//! - [`udp`]: services that are made to talk to each other, or to flood a third.
//!
//! Those by HTTP and TLS are on the example `http`, with 32 MiB, and so is the guest `std-inetd`; the others each with 8 MiB, over IPv6 too,
//! and with the feature `long`, for which all go on for longer, with 16, 64 and 512 MiB too. `ci/long attack` runs these.
//! What is asserted about time is that a client is served at all; how long it took is printed.

/// Makes a test for each size of memory out of functions that take a [`field::Setting`].
macro_rules! on_each_size {
    ($($test:ident),* $(,)?) => {
        on_each_size! { @size mib_8, 8, MANY, V4, $($test),* }
        on_each_size! { @size mib_8_ipv6, 8, MANY, V6, $($test),* }
        #[cfg(feature = "long")]
        on_each_size! { @size mib_16, 16, ONE, V4, $($test),* }
        #[cfg(feature = "long")]
        on_each_size! { @size mib_16_ipv6, 16, ONE, V6, $($test),* }
        #[cfg(feature = "long")]
        on_each_size! { @size mib_64, 64, ONE, V4, $($test),* }
        #[cfg(feature = "long")]
        on_each_size! { @size mib_64_from_many, 64, MANY, V4, $($test),* }
        #[cfg(feature = "long")]
        on_each_size! { @size mib_64_from_many_ipv6, 64, MANY, V6, $($test),* }
        #[cfg(feature = "long")]
        on_each_size! { @size mib_512, 512, ONE, V4, $($test),* }
        #[cfg(feature = "long")]
        on_each_size! { @size mib_512_from_many, 512, MANY, V4, $($test),* }
    };
    (@size $name:ident, $mebibytes:literal, $strangers:ident, $family:ident, $($test:ident),*) => {
        mod $name {
            $(#[test] fn $test() {
                super::$test(crate::field::Setting {
                    mebibytes: $mebibytes,
                    from: system_tests::attacks::Strangers::$strangers
                        .over(system_tests::attacks::Family::$family),
                })
            })*
        }
    };
}

mod beneath;
mod connections;
mod field;
mod http;
mod http2;
mod ipv6;
mod out_of_order;
mod std_sockets;
mod tls;
mod udp;
mod windows;
