//! Flow labels (RFC 6437).

use super::{Duration, Header, Ipv6Addr, OURS, Options, Pair, SocketAddr, dual};
use crate::proto::interface::tests::DELAY;
use crate::proto::ip::v4::protocol;
use crate::proto::link::ethernet::HEADER_LEN;

#[test]
fn rfc6437_section_3_packets_of_a_flow_have_one_label_and_other_flows_others() {
    let mut pair = dual();
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let mut labels = std::collections::HashSet::new();
    for port in 1..100 {
        let there = SocketAddr::new(OURS[1].into(), port);
        let id = pair.stacks[0].udp_bind(any).expect("free");
        let sent: Vec<_> = (0..2)
            .map(|_| {
                pair.call(0, |stack, now, out| {
                    stack.udp_send(now, id, there, b"x", out).expect("a route");
                    out.0.last().cloned()
                })
            })
            .collect();
        pair.run(Duration::from_millis(1));
        let of = |frame: &Option<Vec<u8>>| {
            let frame = frame.as_ref()?;
            Some(Header::parse(&frame[HEADER_LEN..]).ok()?.flow_label)
        };
        if port > 1 {
            assert_eq!(of(&sent[0]), of(&sent[1]));
            labels.insert(of(&sent[0]).expect("a label"));
        }
    }
    assert!(labels.len() > 95 && !labels.contains(&0), "{labels:?}");
}

/// Lets one delay pass; returns the frames that it began with, of which each is on its way to the stack of its place.
fn step(pair: &mut Pair) -> [Vec<Vec<u8>>; 2] {
    pair.run(Duration::ZERO);
    let on_way = pair.wires.each_ref();
    let frames = on_way.map(|wire| wire.iter().map(|(_, frame)| frame.clone()).collect());
    pair.run(DELAY);
    frames
}

#[test]
fn rfc6437_section_3_all_segments_of_a_connection_have_one_label_also_those_after_its_end() {
    let mut pair = dual();
    let mut ends = Vec::new();
    let server = SocketAddr::new(OURS[1].into(), 7);
    let listener = pair.stacks[1].listen(server, 8, Options::default());
    let listener = listener.expect("a free port");
    for _ in 0..2 {
        let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        let client = pair.stacks[0].connect(pair.now, any, server, &Options::default());
        ends.push((0, client.expect("a route")));
    }
    let mut labels = std::collections::HashMap::new();
    let mut again: [Vec<Vec<u8>>; 2] = Default::default();
    for turn in 0..24 {
        while let Ok(Some(id)) = pair.stacks[1].tcp().accept(listener) {
            ends.push((1, id));
        }
        // Both ends send, then the clients close, and then the servers.
        for (index, id) in ends.clone() {
            match turn {
                8 => drop(pair.stacks[index].tcp().send(id, b"data")),
                12 if index == 0 => drop(pair.stacks[0].tcp().shutdown(pair.now, id)),
                16 => drop(pair.stacks[index].tcp().shutdown(pair.now, id)),
                _ => {}
            }
        }
        if turn == 20 {
            // All comes again: TIME-WAIT answers, and who knows of no connection resets.
            for (wire, frames) in pair.wires.iter_mut().zip(&mut again) {
                wire.extend(frames.drain(..).map(|frame| (pair.now, frame)));
            }
        }
        for (to, frames) in step(&mut pair).into_iter().enumerate() {
            for frame in frames {
                let packet = &frame[HEADER_LEN..];
                if let Ok(header) = Header::parse(packet)
                    && header.next_header == protocol::TCP
                {
                    let of_flow = labels.entry((to, packet[40..44].to_vec()));
                    let sent: &mut Vec<u32> = of_flow.or_default();
                    sent.push(header.flow_label);
                    again[to].push(frame);
                }
            }
        }
    }
    assert!(pair.stacks[1].counters().tcp.out_rsts > 0);
    for sent in labels.values_mut() {
        sent.sort_unstable();
        sent.dedup();
    }
    let mut of_flows: Vec<u32> = labels.values().flatten().copied().collect();
    of_flows.sort_unstable();
    of_flows.dedup();
    assert_eq!((labels.len(), of_flows.len()), (4, 4), "{labels:?}");
    assert!(of_flows[0] > 0, "{labels:?}");
}
