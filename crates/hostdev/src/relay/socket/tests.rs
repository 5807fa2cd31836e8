use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn listening(path: &Path) -> OwnedFd {
    match Joint::at(path).unwrap() {
        Joint::Listening(listener) => listener,
        Joint::Connected(_) => panic!("nobody should be there"),
    }
}

#[test]
fn the_first_listens_and_the_second_connects() {
    let folder = folder();
    let path = folder.path().join("wire");
    let listener = listening(&path);
    let Joint::Connected(stream) = Joint::at(&path).unwrap() else {
        panic!("the first is there")
    };
    let mut accepted = UnixStream::from(accept(listener.as_fd()).unwrap());
    UnixStream::from(stream).write_all(b"frame").unwrap();
    let mut read = String::new();
    accepted.read_to_string(&mut read).unwrap();
    assert_eq!(read, "frame");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_socket_that_somebody_has_left_is_taken_over() {
    let folder = folder();
    let path = folder.path().join("wire");
    drop(listening(&path));
    assert!(path.exists());
    let _listener = listening(&path);
    assert!(matches!(Joint::at(&path), Ok(Joint::Connected(_))));
}

#[test]
fn what_is_in_the_way_is_left_alone() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "text").unwrap();
    let error = Joint::at(&path).unwrap_err().to_string();
    assert!(error.contains("file\" is no socket"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "text");
    let error = Joint::at(&folder.path().join("none/wire"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot listen at") && error.contains("none/wire"),
        "{error}"
    );
}

#[test]
fn of_two_that_find_a_left_socket_at_once_the_second_connects_to_the_first() {
    let folder = folder();
    let path = folder.path().join("wire");
    drop(listening(&path));
    // Both have found it left; this one is quicker.
    let Ok(Joint::Listening(first)) = listen(&path, true) else {
        panic!("nobody should be there")
    };
    let Ok(Joint::Connected(_second)) = listen(&path, true) else {
        panic!("the first is there")
    };
    drop(accept(first.as_fd()).unwrap());
    assert!(matches!(Joint::at(&path), Ok(Joint::Connected(_))));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn who_leaves_others_waiting_keeps_nobody() {
    let folder = folder();
    let path = folder.path().join("wire");
    let listener = listening(&path);
    // SAFETY: the call takes no pointer. It lets one wait.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let _waits = connect(&path).unwrap();
    assert_eq!(connect(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
    let error = Joint::at(&path).unwrap_err().to_string();
    assert!(error.contains("leaves others waiting"), "{error}");
}

#[test]
fn a_path_that_no_socket_can_have_is_refused() {
    for path in ["", "a\0b", &"x".repeat(108)] {
        let error = connect(Path::new(path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}");
    }
}
