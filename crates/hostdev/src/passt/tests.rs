use std::fs::File;
use std::net::SocketAddr;

use super::*;

#[test]
fn a_program_inherits_one_descriptor_and_no_other() {
    let files = [(); 2].map(|()| File::open("/dev/null").unwrap());
    let [given, other] = files.each_ref().map(AsRawFd::as_raw_fd);
    // As one that whoever started this process has left open.
    // SAFETY: the call takes no pointer.
    assert_eq!(unsafe { libc::fcntl(other, libc::F_SETFD, 0) }, 0);
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "for fd in \"$@\"; do [ ! -e /proc/self/fd/$fd ] || echo $fd; done",
    ]);
    command
        .arg("sh")
        .args([given, other].map(|fd| fd.to_string()));
    hand_down(&mut command, given);
    let output = command.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{given}\n")
    );
}

#[test]
fn a_port_that_is_closed_in_time_can_be_listened_on() {
    let far = Instant::now() + Duration::from_secs(600);
    let closed = |held: Box<dyn Send>, protocol, host| {
        let closing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(held);
        });
        can_listen(protocol, host, far).unwrap();
        closing.join().unwrap();
    };
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = v4(held.local_addr().unwrap());
    let refused = can_listen("tcp", host, Instant::now()).unwrap_err();
    assert!(refused.is_in_use(), "{refused}");
    closed(Box::new(held), "tcp", host);
    let held = UdpSocket::bind("127.0.0.1:0").unwrap();
    let host = v4(held.local_addr().unwrap());
    closed(Box::new(held), "udp", host);
}

#[test]
fn one_that_is_closed_to_this_process_is_not_waited_for() {
    let far = Instant::now() + Duration::from_secs(600);
    // An address for documentation (RFC 5737), which no interface has.
    let error = can_listen("tcp", "192.0.2.1:1024".parse().unwrap(), far).unwrap_err();
    assert!(!error.is_in_use(), "{error}");
}

fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => panic!("{address}"),
    }
}
