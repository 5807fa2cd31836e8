//! A DHCPv6 client between servers that say anything at any time.
//!
//! The input is a list of steps: time passes, a message comes that is an answer to the last one of ours but for what
//! the input changes of it, a message comes that is the input's own, the link comes back, or another station has an
//! address.
//!
//! Held true after each step: nothing that was due is still due, addresses are such that a host can have them and are
//! valid, events tell of the lease that is held, and no more was sent than the time allows.
#![no_main]

use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use netstack::proto::Instant;
use netstack::proto::dhcpv6::{Client, Event, Lease};
use netstack::proto::link::ethernet::MacAddr;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const START: Instant = Instant::from_nanos(1_000_000_000);

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

struct World {
    client: Client,
    now: Instant,
    /// The last message of ours.
    last: Vec<u8>,
    messages: u64,
    /// What events have told of the lease.
    told: Option<Lease>,
}

impl World {
    fn new(stateful: bool) -> Self {
        let client = match stateful {
            true => Client::new(START, MAC, [5; 16]),
            false => Client::stateless(START, MAC, [5; 16]),
        };
        Self {
            client,
            now: START,
            last: vec![0; 4],
            messages: 0,
            told: None,
        }
    }

    fn tell(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Bound(lease)) => self.told = Some(lease),
            Some(Event::Lost(_)) => self.told = None,
            Some(Event::Informed(_)) | None => {}
        }
    }

    fn poll(&mut self) {
        for _ in 0..32 {
            let (message, event) = self.client.poll(self.now);
            if message.is_none() && event.is_none() {
                return self.check();
            }
            if let Some(message) = message {
                self.messages += 1;
                self.last = message;
            }
            self.tell(event);
        }
        panic!("there is always something to do");
    }

    fn check(&self) {
        assert!(
            self.client.poll_at() > self.now,
            "what was due is still due"
        );
        assert_eq!(self.client.lease(), self.told.as_ref());
        if let Some(lease) = &self.told {
            assert!((1..=64).contains(&lease.addresses.len()));
            assert!(lease.renew <= lease.rebind);
            for held in &lease.addresses {
                assert!(held.valid_until > self.now && held.preferred_until <= held.valid_until);
                assert!(!held.address.is_multicast() && !held.address.is_loopback());
            }
        }
        // A lease of ten seconds is extended each five, asked for anew, and declined four times.
        let seconds = (self.now - START).as_secs();
        let most = 64 + 2 * seconds;
        assert!(
            self.messages <= most,
            "{} messages in {seconds} s",
            self.messages
        );
    }

    /// An answer to our last message, changed by the input.
    fn answer(&mut self, input: &mut Input<'_>) {
        let how = input.byte();
        let kind = match (how & 3, self.last[0]) {
            (0, _) => input.byte(),
            (_, 1) if how & 4 == 0 => 2,
            _ => 7,
        };
        let mut message = vec![kind, self.last[1], self.last[2], self.last[3]];
        message.extend([0, 1, 0, 10, 0, 3, 0, 1]);
        message.extend(MAC.0);
        message.extend([0, 2, 0, 4, 0, 2, 0, how >> 7]);
        if how & 8 != 0 {
            message.extend([0, 14, 0, 0]);
        }
        if how & 0x10 != 0 {
            message.extend([0, 13, 0, 2, 0, input.byte() & 7]);
        }
        if how & 0x20 != 0 {
            let status = how & 0x40 != 0;
            message.extend([0, 3, 0, 12 + 28 + if status { 6 } else { 0 }]);
            message.extend(&MAC.0[2..]);
            message.extend([0, 0, 0, input.byte(), 0, 0, 0, input.byte()]);
            message.extend([0, 5, 0, 24, 0x20, 1, 0x0d, 0xb8]);
            message.extend([0; 11]);
            message.push(input.byte() & 3);
            message.extend([0, 0, input.byte() & 1, input.byte()]);
            message.extend([0, 0, input.byte() & 1, input.byte()]);
            if status {
                message.extend([0, 13, 0, 2, 0, input.byte() & 7]);
            }
        }
        let options = usize::from(input.byte());
        message.extend(input.take(options));
        let event = self.client.handle(self.now, &message);
        self.tell(event);
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        match what % 8 {
            0..=2 => self.answer(input),
            3 | 4 => {
                let most = self.now + Duration::from_secs(100_000);
                self.now = self.client.poll_at().min(most).max(self.now);
            }
            5 => self.now += Duration::from_millis(1 << (what >> 4) | u64::from(input.byte())),
            6 => {
                let length = usize::from(input.byte());
                let event = self.client.handle(self.now, input.take(length));
                self.tell(event);
            }
            _ if what & 8 == 0 => {
                // The link cannot come back without time for it to be away.
                self.now += Duration::from_secs(10);
                self.client.link_is_back(self.now);
            }
            _ => {
                let held = self.told.as_ref().map(|lease| lease.addresses[0].address);
                if let Some(address) = held {
                    self.now += Duration::from_secs(10);
                    self.poll();
                    let event = self.client.decline(self.now, address);
                    self.tell(event);
                }
            }
        }
        self.poll();
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut world = World::new(input.byte() & 1 == 0);
    while !input.0.is_empty() {
        world.step(&mut input);
    }
    world.client.release(world.now);
    world.told = None;
    world.poll();
});
