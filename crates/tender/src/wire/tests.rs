use super::*;
use crate::filters::{Call, sweep};

const GUEST: RawFd = 100;

#[test]
fn nothing_but_its_list_is_let_through_for_a_relay() {
    let [one, other] = hostdev::Cable::new(1500)
        .map(|(cable, end)| [end, cable.as_fd().try_clone_to_owned().unwrap()])
        .unwrap();
    let (connected, listening) = (one.as_raw_fd(), other.as_raw_fd());
    for (joint, others) in [
        (Joint::Connected(one.try_clone().unwrap()), false),
        (Joint::Connected(one), true),
        (Joint::Listening(other), true),
    ] {
        let (connects, far) = match &joint {
            Joint::Connected(stream) => (true, stream.as_raw_fd()),
            Joint::Listening(listener) => (false, listener.as_raw_fd()),
        };
        let filter = filter(GUEST, &joint, others).unwrap();
        let allowed = |call: &Call| {
            let first = call.arguments[0] as i32;
            let stream = connects && first == far || others && first == 0;
            match libc::c_long::from(call.number) {
                libc::SYS_poll | libc::SYS_restart_syscall | libc::SYS_exit_group => true,
                libc::SYS_recvmmsg | libc::SYS_sendmmsg => first == GUEST,
                libc::SYS_write => first == libc::STDERR_FILENO,
                libc::SYS_recvfrom | libc::SYS_sendmsg | libc::SYS_close | libc::SYS_fcntl => {
                    stream
                }
                libc::SYS_setsockopt => others && first == 0,
                libc::SYS_socket => others && connects && first == libc::AF_UNIX,
                libc::SYS_connect => others && connects && first == 0,
                libc::SYS_accept4 => !connects && first == far,
                _ => false,
            }
        };
        let values = [GUEST, connected, listening, far].map(|value| value as u64);
        sweep(&filter, &values, allowed);
    }
}
