use std::fs::File;

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
