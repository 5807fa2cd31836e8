//! What anybody on a link may send over IPv6, in great number: the unikernel lives in its 8 MiB, and honest clients are
//! served over IPv6 all the while.

use system_tests::attacks::{self, Family, Strangers};
use system_tests::frames::Link;

use crate::field::{Field, Setting};

const FLOOD: u32 = 100_000;

const SETTING: Setting = Setting {
    mebibytes: 8,
    from: Strangers::MANY.over(Family::V6),
};

fn flood(flood: impl FnOnce(&mut Link) + Send) {
    Field::with(SETTING, |field| field.attack(flood));
}

#[test]
fn solicitations() {
    flood(|link| attacks::solicitations(link, FLOOD));
}

#[test]
fn router_advertisements() {
    flood(|link| attacks::router_advertisements(link, FLOOD));
}

#[test]
fn redirects() {
    flood(|link| attacks::redirects(link, FLOOD));
}

#[test]
fn fragments() {
    flood(|link| attacks::fragments(link, FLOOD));
}
