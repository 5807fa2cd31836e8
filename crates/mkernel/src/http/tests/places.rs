//! Who makes room for others.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use ::http::HeaderMap;
use bytes::Bytes;
use futures_lite::Stream;
use futures_lite::future::poll_once;
use futures_lite::stream::repeat_with;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use miou_rs::{Instant, sleep, timeout};

use super::world::run;
use crate::http::body::Turn;
use crate::http::content::Content;
use crate::http::peer::{Order, Peer, Wait};
use crate::http::places::{Kept, MOVES, PAUSE, Peers, STALE};
use crate::http::serve::reserve;
use crate::http::{Http2, Options, Reply};

/// More than there is.
const ALL: usize = usize::MAX / 4;

/// What a service gives at a time.
const PIECE: usize = 64 << 10;

fn client() -> Rc<Peer> {
    client_at([10, 0, 0, 1])
}

fn client_at(address: [u8; 4]) -> Rc<Peer> {
    Rc::new(Peer::new((address, 1).into(), Instant::now()))
}

/// With so many octets that have to stay free.
fn few(reserve: usize) -> Rc<Peers> {
    let room = Options::default().connections(100_usize).room(0, false);
    Rc::new(Peers::new(room, reserve))
}

/// What `asks` is answered, from its first piece on.
fn answer_of<B>(body: B, asks: &Rc<Peer>, peers: &Rc<Peers>, kept: Option<Rc<Kept>>) -> Reply<B> {
    asks.begun.set(asks.begun.get() + 1);
    asks.turns.unanswered.fetch_add(1, Ordering::Relaxed);
    let mut turn = Turn::new(asks.clone(), peers.clone(), Content::default(), kept);
    turn.answer();
    Reply::new(Some(body), turn)
}

fn move_octets(peers: &Peers, times: u32) {
    (0..times).for_each(|_| peers.moved());
}

/// Pieces that a service has not at once.
fn pending_once() -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
    let mut is_first = true;
    futures_lite::stream::poll_fn(move |_| match std::mem::take(&mut is_first) {
        true => Poll::Pending,
        false => Poll::Ready(Some(Ok(Frame::data(Bytes::new())))),
    })
}

#[test]
fn where_memory_is_nearly_spent_one_after_the_other_makes_room() {
    run(async |_| {
        let earlier = client();
        sleep(STALE / 2).await;
        let later = client();
        let peers = few(ALL);
        let place = peers.enter(earlier.clone());
        let _place = peers.enter(later.clone());
        move_octets(&peers, MOVES - 1);
        assert_eq!(earlier.order(), Order::Serve);
        move_octets(&peers, MOVES);
        assert_eq!(earlier.order(), Order::Leave);
        assert_eq!(later.order(), Order::Serve);
        drop(place);
        move_octets(&peers, 1);
        assert_eq!(later.order(), Order::Leave, "it is looked at each time now");
    });
}

#[test]
fn where_there_is_memory_all_stay() {
    run(async |_| {
        let client = client();
        let peers = few(1 << 10);
        let _place = peers.enter(client.clone());
        move_octets(&peers, MOVES);
        assert_eq!(client.order(), Order::Serve);
        assert!(peers.has_room());
        assert!(!few(ALL).has_room());
    });
}

#[test]
fn who_has_come_only_now_goes_last() {
    run(async |_| {
        let takes_nothing = client();
        takes_nothing.blocked.set(Some(Instant::now()));
        sleep(STALE).await;
        let now = client();
        let peers = few(ALL);
        let _places = [&now, &takes_nothing].map(|client| peers.enter(client.clone()));
        assert!(peers.make_room());
        assert_eq!(now.order(), Order::Serve);
        assert_eq!(takes_nothing.order(), Order::Leave);
    });
}

#[test]
fn before_each_piece_of_an_answer_memory_is_looked_at() {
    run(async |_| {
        let earlier = client();
        sleep(STALE).await;
        let peers = few(ALL);
        let _place = peers.enter(earlier.clone());
        let asks = client();
        let kept = peers.admit(&asks).expect("it is alone");
        let frames = repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))));
        let body = StreamBody::new(frames);
        let mut answer = answer_of(body, &asks, &peers, Some(kept));
        let piece = timeout(STALE, answer.frame()).await;
        assert!(piece.is_err(), "there is no memory for it");
        assert_eq!(earlier.order(), Order::Leave);
    });
}

#[test]
fn the_trailers_of_an_answer_wait_for_no_memory() {
    run(async |_| {
        let peers = few(ALL);
        let asks = client();
        let kept = peers.admit(&asks).expect("it is alone");
        let trailers = std::future::ready(Some(Ok(HeaderMap::new())));
        let body = Full::<Bytes>::default().with_trailers(trailers);
        let mut answer = answer_of(body, &asks, &peers, Some(kept));
        assert!(peers.look(), "memory is nearly spent");
        let frame = poll_once(answer.frame()).await.flatten();
        assert!(frame.expect("one").expect("no error").is_trailers());
    });
}

#[test]
fn an_answer_that_waits_for_memory_makes_room() {
    run(async |_| {
        let peers = few(ALL);
        let asks = client();
        let _place = peers.enter(asks.clone());
        let body = StreamBody::new(pending_once());
        let mut answer = answer_of(body, &asks, &peers, None);
        assert!(poll_once(answer.frame()).await.is_none());
        assert_eq!(asks.wait(), None, "it is the service's turn");
        // Somebody else's octets.
        let _elsewhere = peers.enter(client());
        move_octets(&peers, MOVES);
        assert!(poll_once(answer.frame()).await.is_none());
        assert!(asks.wait().is_some());
        sleep(STALE).await;
        assert!(peers.make_room());
        assert_eq!(asks.order(), Order::Leave);
    });
}

#[test]
fn while_nobody_leaves_memory_is_looked_at_once_in_a_pause() {
    run(async |_| {
        let peers = few(ALL);
        assert!(peers.look(), "nobody is there");
        let client = client();
        let place = peers.enter(client.clone());
        assert!(peers.look());
        assert_eq!(client.order(), Order::Serve);
        sleep(PAUSE).await;
        assert!(peers.look());
        assert_eq!(client.order(), Order::Leave);
        drop(place);
        let next = self::client();
        let _place = peers.enter(next.clone());
        assert!(peers.look());
        assert_eq!(next.order(), Order::Leave, "who waits need not wait longer");
    });
}

#[test]
fn what_stays_free_is_enough_for_the_pieces_between_two_looks() {
    for free in [2 << 20, 8 << 20, 500 << 20] {
        assert!(reserve(free) >= MOVES as usize * PIECE, "{free}");
    }
}

#[test]
fn an_order_that_comes_too_late_is_taken_back() {
    run(async |_| {
        let [upgraded, other] = [client(), client()];
        let peers = few(ALL);
        let _place = peers.enter(upgraded.clone());
        move_octets(&peers, MOVES);
        assert_eq!(upgraded.order(), Order::Leave);
        upgraded.upgraded.set(true);
        peers.keep(&upgraded);
        let _place = peers.enter(other.clone());
        move_octets(&peers, 1);
        assert_eq!(other.order(), Order::Leave);
    });
}

/// As load is measured, and as browsers ask, in a unikernel of 32 MiB.
#[test]
fn thirty_two_clients_with_eight_requests_at_a_time_have_room() {
    for secure in [false, true] {
        let room = Options::default().room(26 << 20, secure);
        assert!(32 * room.connection + 32 * 7 * room.beside <= room.all);
    }
}

#[test]
fn answers_that_nobody_takes_fit_into_what_is_free() {
    for free in [4 << 20, 24 << 20, 500 << 20] {
        for (send_octets, secure) in [(16 << 10, false), (64 << 10, false), (64 << 10, true)] {
            let http2 = Http2::default().send_octets(send_octets);
            let room = Options::default().http2(http2).room(free, secure);
            let answer = send_octets as usize + PIECE;
            for part in [room.connection, room.beside] {
                assert!(
                    room.all / part * answer <= free,
                    "{free} {send_octets} {part}"
                );
            }
        }
    }
    let room = Options::default().room(24 << 20, false);
    let default = Http2::default().send_octets as usize + PIECE;
    assert!(room.all / room.beside * default <= 24 << 20);
}

#[test]
fn who_begins_goes_behind_those_that_are_there() {
    run(async |_| {
        let peers = few(1 << 10);
        let [far, near] = [client(), client()];
        near.arriving.set(false);
        let _places = [&far, &near].map(|client| peers.enter(client.clone()));
        sleep(STALE / 2).await;
        near.active.set(Instant::now());
        assert!(peers.make_room());
        assert_eq!(far.order(), Order::Serve);
        assert_eq!(near.order(), Order::Leave);
    });
}

#[test]
fn a_crowd_that_only_begins_does_not_outlast_who_is_served() {
    run(async |_| {
        let peers = few(1 << 10);
        let crowd = (0..20).map(|host| client_at([10, 0, 1, host]));
        let crowd: Vec<_> = crowd.collect();
        let _crowd: Vec<_> = crowd.iter().map(|it| peers.enter(it.clone())).collect();
        let served = client();
        served.arriving.set(false);
        let _place = peers.enter(served.clone());
        sleep(STALE / 2).await;
        served.active.set(Instant::now());
        for silent in &crowd[..10] {
            assert!(peers.make_room());
            assert_eq!(silent.order(), Order::Leave);
        }
        assert_eq!(served.order(), Order::Serve);
    });
}

#[test]
fn who_takes_nothing_makes_room_whatever_else_it_waits_for() {
    run(async |_| {
        let peers = few(1 << 10);
        let greedy = client();
        greedy.http2.set(true);
        let _place = peers.enter(greedy.clone());
        let kept = [(); 2].map(|()| peers.admit(&greedy).expect("there is room"));
        greedy.begun.set(2);
        greedy.answered.set(1);
        // One is the service's turn for long.
        greedy.turns.unanswered.store(1, Ordering::Relaxed);
        let waits = greedy.wait().map(|(wait, _)| wait);
        assert_eq!(waits, Some(Wait::Taking));
        sleep(STALE).await;
        assert!(peers.make_room());
        assert_eq!(greedy.order(), Order::Leave);
        let [taken, _asked] = kept;
        drop(taken);
        assert_eq!(greedy.wait(), None);
    });
}

#[test]
fn after_a_burst_who_is_left_is_found() {
    run(async |_| {
        let peers = few(1 << 10);
        let mut places: Vec<_> = (0..2000).map(|_| peers.enter(client())).collect();
        let left = client();
        places[1000] = peers.enter(left.clone());
        let _place = places.swap_remove(1000);
        drop(places);
        assert!(peers.make_room());
        assert_eq!(left.order(), Order::Leave);
    });
}

#[test]
fn content_that_does_not_come_is_waited_for_whatever_else_is_served() {
    run(async |_| {
        let two = client();
        two.begun.set(2);
        two.turns.unanswered.store(2, Ordering::Relaxed);
        assert_eq!(two.wait(), None);
        two.turns.unanswered.store(1, Ordering::Relaxed);
        let waits = two.wait().map(|(wait, _)| wait);
        assert_eq!(waits, Some(Wait::Body));
        two.turns.held.store(1, Ordering::Relaxed);
        assert_eq!(two.wait(), None, "it may have no window to send more");
    });
}

#[test]
fn who_waits_for_memory_has_time_from_then_on() {
    run(async |_| {
        let peers = few(ALL);
        let asks = client();
        let _place = peers.enter(asks.clone());
        let body = StreamBody::new(pending_once());
        let mut answer = answer_of(body, &asks, &peers, None);
        assert!(poll_once(answer.frame()).await.is_none());
        sleep(100 * STALE).await;
        assert!(peers.look(), "memory is nearly spent");
        assert!(poll_once(answer.frame()).await.is_none());
        assert_eq!(asks.active.get(), Instant::now());
        assert_eq!(asks.order(), Order::Serve, "it was not the client's turn");
    });
}

#[test]
fn of_those_that_are_there_one_of_the_host_with_most_places_goes_first() {
    run(async |_| {
        let peers = few(1 << 10);
        let alone = client_at([10, 0, 0, 2]);
        let _place = peers.enter(alone.clone());
        let place = peers.enter(client());
        sleep(STALE / 2).await;
        let many = [client(), client()];
        let _places = [&many[0], &many[1]].map(|client| peers.enter(client.clone()));
        drop(place);
        alone.arriving.set(false);
        assert!(peers.make_room());
        assert_eq!(alone.order(), Order::Serve);
        assert_eq!(many[0].order(), Order::Leave);
    });
}

#[test]
fn who_has_far_more_kept_than_is_counted_goes_first() {
    run(async |_| {
        let peers = few(1 << 10);
        let idle = client();
        let ahead = client_at([10, 0, 0, 2]);
        let _places = [&idle, &ahead].map(|client| peers.enter(client.clone()));
        // The service has all of it to do.
        ahead.begun.set(1);
        ahead.turns.unanswered.store(1, Ordering::Relaxed);
        ahead.turns.held.store(1, Ordering::Relaxed);
        let content = [(); 2].map(|()| Content::new());
        content.iter().for_each(|it| ahead.contents.enter(it));
        content[1].hold(Some(100));
        let window = Http2::default().connection_window;
        let come = &ahead.turns.come;
        come.store(u64::from(window) * 2 + 100, Ordering::Relaxed);
        sleep(STALE).await;
        assert!(!ahead.is_far_ahead(window));
        come.fetch_add(2, Ordering::Relaxed);
        assert!(ahead.is_far_ahead(window));
        ahead.active.set(Instant::now());
        assert!(peers.make_room());
        assert_eq!((ahead.order(), idle.order()), (Order::Leave, Order::Serve));
        content[1].hold(None);
        assert!(!ahead.is_far_ahead(window));
    });
}

#[test]
fn an_answer_waits_while_many_of_its_pieces_are_kept() {
    run(async |_| {
        let peers = few(1 << 10);
        let asks = client();
        asks.http2.set(true);
        let kept = peers.admit(&asks);
        let octets = StreamBody::new(repeat_with(|| {
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
        }));
        let mut answer = Box::pin(answer_of(octets, &asks, &peers, kept));
        let mut pieces = Vec::new();
        while let Some(piece) = poll_once(answer.frame()).await {
            pieces.push(piece);
        }
        assert_eq!(pieces.len(), 32);
        pieces.pop();
        assert!(poll_once(answer.frame()).await.is_some());
    });
}

#[test]
fn for_a_request_beside_others_one_client_at_a_time_makes_room() {
    run(async |_| {
        let room = Options::default().connections(4_usize).room(0, false);
        let peers = Rc::new(Peers::new(room, 1 << 10));
        let idle = [client_at([10, 0, 0, 2]), client_at([10, 0, 0, 3])];
        let _idle = [&idle[0], &idle[1]].map(|client| peers.enter(client.clone()));
        let greedy = client();
        let _place = peers.enter(greedy.clone());
        let mut kept = vec![peers.admit(&greedy), peers.admit(&greedy)];
        assert!(peers.admit(&greedy).is_none(), "each has just come");
        kept.clear();
        sleep(STALE).await;
        greedy.active.set(Instant::now());
        for leave in [0, 0, 1] {
            let admitted = peers.admit(&greedy);
            assert!(admitted.is_some(), "there is room");
            kept.push(admitted);
            let left = idle.iter().filter(|idle| idle.order() == Order::Leave);
            assert_eq!(left.count(), leave);
        }
        assert!(peers.admit(&greedy).is_none(), "nobody is gone yet");
    });
}

#[test]
fn a_request_beside_others_counts_for_its_host() {
    run(async |_| {
        let peers = few(1 << 10);
        let two = [client_at([10, 0, 0, 2]), client_at([10, 0, 0, 2])];
        let _two = [&two[0], &two[1]].map(|client| peers.enter(client.clone()));
        sleep(STALE / 2).await;
        let greedy = client();
        let place = peers.enter(greedy.clone());
        let kept = [(); 3].map(|()| peers.admit(&greedy).expect("there is room"));
        assert!(peers.make_room());
        assert_eq!(greedy.order(), Order::Leave);
        drop((place, kept));
        let single = client();
        let _single = peers.enter(single.clone());
        assert!(peers.make_room());
        assert_eq!(single.order(), Order::Serve, "nothing is left of the other");
    });
}

#[test]
fn a_host_with_few_of_the_places_goes_as_others_do() {
    run(async |_| {
        let peers = few(1 << 10);
        let clients = (10..26).map(|host| client_at([10, 0, 0, host]));
        let clients: Vec<_> = clients.chain([client(), client()]).collect();
        let places: Vec<_> = clients.iter().map(|it| peers.enter(it.clone())).collect();
        for client in &clients {
            sleep(STALE / 100).await;
            client.arriving.set(false);
            client.active.set(Instant::now());
        }
        assert!(peers.make_room());
        assert_eq!(clients[0].order(), Order::Leave);
        drop(places);
        // Two of five are many.
        let clients = &clients[13..];
        let _places: Vec<_> = clients.iter().map(|it| peers.enter(it.clone())).collect();
        assert!(peers.make_room());
        assert_eq!(clients[3].order(), Order::Leave);
    });
}
