use libc::O_RDWR;

use super::*;
use crate::descriptors::pipe::pipe;

fn something() -> Rc<Open> {
    Open::new(Rc::new(pipe().0), O_RDWR)
}

#[test]
fn a_descriptor_is_the_lowest_number_that_is_free() {
    let table = Table::new();
    for number in 0..5 {
        assert_eq!(table.add(something(), false), Ok(number));
    }
    for number in [3, 1] {
        table.remove(number).expect("open");
    }
    assert_eq!(table.add_from(2, something(), false), Ok(3));
    assert_eq!(table.add(something(), false), Ok(1));
    assert_eq!(table.add(something(), false), Ok(5));
    assert_eq!(table.add_from(9, something(), true), Ok(9));
    assert_eq!(table.add(something(), false), Ok(6));
    assert_eq!(table.closes_on_exec(9), Ok(true));
}

#[test]
fn there_is_a_limit_that_holds() {
    let table = Table::new();
    let one = something();
    for _ in 0..LIMIT {
        table.add(one.clone(), false).expect("below the limit");
    }
    assert_eq!(table.check(), fail(EMFILE));
    assert_eq!(table.add(one.clone(), false), fail(EMFILE));
    assert_eq!(table.add_from(5, one.clone(), false), fail(EMFILE));
    assert!(table.replace(LIMIT as c_int, one.clone(), false).is_err());
    table.remove(7).expect("open");
    assert_eq!(table.check(), Ok(()));
    assert_eq!(table.add(one.clone(), false), Ok(7));
    assert_eq!(table.add(one, false), fail(EMFILE));
}

#[test]
fn what_is_not_open_is_told_so() {
    let table = Table::new();
    for fd in [-1, 0, 17, c_int::MAX] {
        assert!(table.open(fd).is_err());
        assert_eq!(table.remove(fd).err(), fail::<()>(EBADF).err());
    }
    assert_eq!(table.add_from(-1, something(), false), fail(EINVAL));
}
