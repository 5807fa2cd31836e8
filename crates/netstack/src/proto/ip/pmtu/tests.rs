use super::{CAPACITY, LIFETIME, MINIMUM, PathMtu};
use crate::proto::Instant;
use core::net::{IpAddr, Ipv4Addr};

const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const START: Instant = Instant::from_nanos(0);

#[test]
fn rfc1191_section_4_the_next_hop_mtu_is_taken() {
    let mut paths = PathMtu::default();
    assert_eq!(paths.get(START, FAR, 1500), 1500);
    assert_eq!(paths.handle(START, FAR, 1400, 1500, 1500), Some(1400));
    assert_eq!(paths.get(START, FAR, 1500), 1400);
    assert_eq!(
        paths.get(START, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 1500),
        1500
    );
}

#[test]
fn rfc1191_section_3_an_estimate_is_never_raised_by_a_message() {
    let mut paths = PathMtu::default();
    paths.handle(START, FAR, 1400, 1500, 1500);
    assert_eq!(paths.handle(START, FAR, 1450, 1500, 1400), None);
    assert_eq!(paths.get(START, FAR, 1500), 1400);
}

#[test]
fn rfc1191_section_7_1_plateaus_for_silent_routers() {
    let mut paths = PathMtu::default();
    assert_eq!(paths.handle(START, FAR, 0, 9000, 9000), Some(8166));
    assert_eq!(paths.handle(START, FAR, 0, 1500, 8166), Some(1492));
    assert_eq!(paths.handle(START, FAR, 0, 200, 1492), None);
}

#[test]
fn a_forged_tiny_mtu_does_not_shrink_segments_to_nothing() {
    let mut paths = PathMtu::default();
    assert_eq!(paths.handle(START, FAR, 68, 1500, 1500), Some(MINIMUM));
}

#[test]
fn rfc1191_section_6_3_estimates_age() {
    let mut paths = PathMtu::default();
    paths.handle(START, FAR, 1400, 1500, 1500);
    assert_eq!(paths.get(START + LIFETIME, FAR, 1500), 1500);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut paths = PathMtu::default();
    for host in 0..4 * CAPACITY as u32 {
        paths.lower(START, Ipv4Addr::from_bits(host).into(), 1000, 1500);
    }
    assert_eq!(paths.paths.len(), CAPACITY);
}
