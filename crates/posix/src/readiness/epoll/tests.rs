//! Linux is the oracle: the same calls, drawn from a seed, in the kernel and here.

mod linux;
mod ours;

use core::ffi::c_int;

use libc::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT,
    EPOLLRDHUP,
};

use super::Told;
use crate::descriptors::process;
use crate::error::Errno;
use crate::readiness::select::Sets;

/// What the calls are made on.
trait World {
    /// Two descriptors, both non-blocking: of a pipe the reading end first.
    fn pair(&mut self, kind: Kind) -> [c_int; 2];
    fn event(&mut self) -> c_int;
    fn epoll(&mut self) -> c_int;
    fn read(&mut self, fd: c_int, octets: usize) -> Result<usize, Errno>;
    fn write(&mut self, fd: c_int, octets: &[u8]) -> Result<usize, Errno>;
    fn close(&mut self, fd: c_int) -> Result<usize, Errno>;
    fn duplicate(&mut self, fd: c_int) -> c_int;
    fn shutdown(&mut self, fd: c_int, how: c_int) -> Result<usize, Errno>;
    fn control(&mut self, call: (c_int, c_int, c_int), event: Told) -> Result<usize, Errno>;
    fn wait(&mut self, epoll: c_int, most: usize) -> Vec<Told>;
    fn poll(&mut self, fd: c_int, events: i16) -> i16;
    fn select(&mut self, sets: &mut Sets, count: usize) -> Result<usize, Errno>;
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Pipe,
    Unix,
    Tcp,
}

/// A call; descriptors by their place among those that were made.
#[derive(Clone, Copy, Debug)]
enum Call {
    Pair(Kind),
    Event,
    Read(usize, usize),
    Write(usize, usize),
    Close(usize),
    Duplicate(usize),
    Shutdown(usize, c_int),
    Control(usize, c_int, usize, u32),
    Wait(usize),
    Poll(usize, i16),
    /// A bit for each.
    Select([u32; 3]),
}

const EPOLLS: usize = 2;
const STEPS: usize = 120;

fn draw(random: &mut fastrand::Rng, count: usize) -> Call {
    let fd = random.usize(..count.max(1));
    let epoll = random.usize(..EPOLLS);
    let octets = *random.choice(&[1, 8, 8, 100, 4096]).unwrap_or(&8);
    match random.u8(..32) {
        0 | 1 => Call::Pair([Kind::Pipe, Kind::Unix, Kind::Tcp][random.usize(..3)]),
        2 => Call::Event,
        3..8 => Call::Read(fd, octets),
        8..13 => Call::Write(fd, octets),
        13 => Call::Close(fd),
        14 => Call::Duplicate(fd),
        15 => Call::Shutdown(fd, random.i32(0..3)),
        16..23 => {
            let operation = [EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL];
            let mut events = 0;
            for flag in [EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLET, EPOLLONESHOT] {
                if random.u8(..5) < 3 {
                    events |= flag as u32;
                }
            }
            Call::Control(epoll, operation[random.usize(..4)], fd, events)
        }
        23..30 => Call::Wait(epoll),
        30 => Call::Select([(); 3].map(|()| random.u32(..) & random.u32(..))),
        _ => Call::Poll(fd, libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP),
    }
}

/// Makes a call; what it came to, in words, so that two worlds can be compared.
fn make(world: &mut dyn World, fds: &mut Vec<c_int>, epolls: &[c_int], call: Call) -> String {
    let fd = |index: usize| fds.get(index).copied().unwrap_or(-1);
    match call {
        Call::Pair(kind) => {
            let pair = world.pair(kind);
            fds.extend(pair);
            String::new()
        }
        Call::Event => {
            let event = world.event();
            fds.push(event);
            String::new()
        }
        Call::Read(index, octets) => format!("{:?}", world.read(fd(index), octets)),
        Call::Write(index, octets) => {
            let mut data = vec![0; octets];
            data[0] = 1;
            format!("{:?}", world.write(fd(index), &data))
        }
        Call::Close(index) => {
            let result = world.close(fd(index));
            if let Some(fd) = fds.get_mut(index) {
                *fd = -1;
            }
            format!("{result:?}")
        }
        Call::Duplicate(index) => {
            let new = world.duplicate(fd(index));
            fds.push(new);
            format!("{}", new < 0)
        }
        Call::Shutdown(index, how) => format!("{:?}", world.shutdown(fd(index), how)),
        Call::Control(epoll, operation, index, events) => {
            let call = (epolls[epoll], operation, fd(index));
            format!("{:?}", world.control(call, (events, index as u64)))
        }
        Call::Wait(epoll) => {
            // In which order two are told that one call has made ready is the kernel's affair.
            let mut told = world.wait(epolls[epoll], 64);
            told.sort_unstable();
            format!("{told:x?}")
        }
        Call::Poll(index, events) => format!("{:x}", world.poll(fd(index), events)),
        Call::Select(asked) => select(world, fds, asked),
    }
}

/// Which of those that are open have something to tell, of each set.
fn select(world: &mut dyn World, fds: &[c_int], asked: [u32; 3]) -> String {
    let asked = asked.map(|bits| {
        let numbered = fds.iter().enumerate().take(32);
        let of_set = numbered.filter(move |(index, fd)| bits >> index & 1 != 0 && **fd >= 0);
        of_set.map(|(index, fd)| (index, *fd as usize))
    });
    let highest = fds.iter().max().map_or(0, |fd| (*fd).max(0) as usize);
    let mut sets = asked.clone().map(|asked| {
        let mut set = vec![0_u64; highest / 64 + 1];
        asked.for_each(|(_, fd)| set[fd / 64] |= 1 << (fd % 64));
        Some(set)
    });
    let outcome = world.select(&mut sets, highest + 1);
    let told = asked.into_iter().zip(sets).map(|(asked, set)| {
        let set = set.unwrap_or_default();
        let told = asked.filter(|(_, fd)| set[fd / 64] >> (fd % 64) & 1 != 0);
        told.map(|(index, _)| index).collect()
    });
    format!("{outcome:?} {:?}", told.collect::<Vec<Vec<usize>>>())
}

#[test]
fn epoll_poll_and_select_tell_what_linux_tells() {
    let _descriptors = crate::testing::descriptors();
    let seeds = std::env::var("POSIX_SEEDS").map_or(300, |seeds| seeds.parse().expect("a number"));
    let failures = (0..seeds).filter_map(|seed| compare(seed).err());
    let mut failures: Vec<String> = failures.collect();
    failures.sort_by_key(String::len);
    let count = failures.len();
    failures.truncate(1);
    assert_eq!(count, 0, "{}", failures.join("\n\n"));
}

fn compare(seed: u64) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut worlds: [Box<dyn World>; 2] = [
        Box::new(linux::Linux::default()),
        Box::new(ours::Ours::default()),
    ];
    let mut fds = [Vec::new(), Vec::new()];
    let epolls = [0, 1].map(|world: usize| [0; EPOLLS].map(|_| worlds[world].epoll()));
    let mut trace = format!("seed {seed}:\n");
    for _ in 0..STEPS {
        let call = draw(&mut random, fds[0].len());
        let [linux, ours] = [0, 1].map(|world: usize| {
            let world_fds = &mut fds[world];
            make(&mut *worlds[world], world_fds, &epolls[world], call)
        });
        trace += &format!("{call:?} -> {linux}\n");
        if ours != linux {
            // The kernel's TCP has timers, such as that of an acknowledgement that is put off, which may tell once more
            // what is ready already: from there on the two are not to be compared.
            if matches!(call, Call::Wait(_)) && has_told_more(&linux, &ours) {
                return Ok(());
            }
            return Err(format!("{trace}ours: {ours}"));
        }
    }
    Ok(())
}

/// Whether one was told all that the other was, and more.
fn has_told_more(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let text = text.trim_matches(['[', ']', '(', ')']);
        text.split("), (").map(str::to_owned).collect()
    };
    let one = parts(one);
    other == "[]" || parts(other).iter().all(|told| one.contains(told))
}

#[test]
fn what_is_ready_is_told_in_turn() {
    let mut world = ours::Ours::default();
    let epoll = world.epoll();
    for data in 0..3 {
        let event = world.event();
        world
            .control((epoll, EPOLL_CTL_ADD, event), (EPOLLOUT as u32, data))
            .expect("open");
    }
    let told: Vec<u64> = (0..6)
        .flat_map(|_| world.wait(epoll, 1))
        .map(|told| told.1)
        .collect();
    assert_eq!(told, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn instances_watch_each_other_but_not_in_a_circle() {
    let mut world = ours::Ours::default();
    let [inner, outer] = [0, 1].map(|_| world.epoll());
    let event = world.event();
    let wanted = (EPOLLIN as u32, 7);
    assert_eq!(world.control((outer, EPOLL_CTL_ADD, inner), wanted), Ok(0));
    assert_eq!(world.control((inner, EPOLL_CTL_ADD, event), wanted), Ok(0));
    assert_eq!(
        world.control((inner, EPOLL_CTL_ADD, outer), wanted),
        Err(Errno(libc::ELOOP))
    );
    assert_eq!(
        world.control((inner, EPOLL_CTL_ADD, inner), wanted),
        Err(Errno(libc::EINVAL))
    );
    assert_eq!(world.wait(outer, 8), []);
    world.write(event, &1_u64.to_ne_bytes()).expect("room");
    assert_eq!(world.wait(outer, 8), [wanted]);
    world.read(event, 8).expect("a count");
    assert_eq!(world.wait(outer, 8), []);
}

#[test]
fn what_stays_open_forgets_instances_that_are_closed() {
    let mut world = ours::Ours::default();
    let event = world.event();
    for _ in 0..10 {
        let [epoll, other] = [0, 1].map(|_| world.epoll());
        for epoll in [epoll, other] {
            let added = world.control((epoll, EPOLL_CTL_ADD, event), (EPOLLIN as u32, 7));
            assert_eq!(added, Ok(0));
        }
        world.close(epoll).expect("open");
        // The other one is told still.
        world.write(event, &1_u64.to_ne_bytes()).expect("room");
        assert_eq!(world.wait(other, 8), [(EPOLLIN as u32, 7)]);
        world.read(event, 8).expect("a count");
        world.close(other).expect("open");
    }
    let open = process::open(event).expect("open");
    let queue = open.description().queue().expect("it may wait");
    assert_eq!((queue.watchers(), open.items()), (0, 0));
}
