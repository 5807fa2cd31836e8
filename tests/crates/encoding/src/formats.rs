//! Formats, identifiers and time.

use std::collections::HashSet;

use chrono::{Datelike as _, TimeZone as _};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Device {
    name: String,
    mtu: Option<u16>,
    tags: Vec<String>,
}

pub(crate) fn serde_json() {
    let text = r#"{"name":"service","mtu":1500,"tags":["a","\u00e9\n"]}"#;
    let device: Device = serde_json::from_str(text).unwrap();
    assert_eq!(device.tags[1], "é\n");
    let again = serde_json::to_vec_pretty(&device).unwrap();
    assert_eq!(serde_json::from_slice::<Device>(&again).unwrap(), device);
    let value: serde_json::Value = serde_json::from_str("[1.5e300, null]").unwrap();
    assert_eq!(value[0].as_f64(), Some(1.5e300));
}

pub(crate) fn toml() {
    let device: Device =
        toml::from_str("name = 'disk'\ntags = [\n  \"x\", # the first\n  'y',\n]").unwrap();
    assert_eq!((device.mtu, device.tags.len()), (None, 2));
    let again = toml::to_string(&device).unwrap();
    assert_eq!(toml::from_str::<Device>(&again).unwrap(), device);
    assert!(toml::from_str::<Device>("name = 7").is_err());
}

#[derive(Clone, PartialEq, prost::Message)]
struct Frame {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(bytes = "vec", repeated, tag = "2")]
    payload: Vec<Vec<u8>>,
}

pub(crate) fn prost() {
    let frame = Frame {
        number: 300,
        payload: vec![vec![1, 2], vec![]],
    };
    let bytes = frame.encode_to_vec();
    assert_eq!(bytes, [0x08, 0xac, 0x02, 0x12, 2, 1, 2, 0x12, 0]);
    assert_eq!(Frame::decode(bytes.as_slice()).unwrap(), frame);
    assert!(Frame::decode(&bytes[..6]).is_err());
}

/// Random ones from the system's source, ordered ones from its clock.
pub(crate) fn uuid() {
    let random: HashSet<Uuid> = (0..100).map(|_| Uuid::new_v4()).collect();
    assert_eq!(random.len(), 100);
    let ordered: Vec<Uuid> = (0..100).map(|_| Uuid::now_v7()).collect();
    assert!(ordered.is_sorted());
    let text = "f47ac10b-58cc-4372-a567-0e02b2c3d479";
    assert_eq!(text.parse::<Uuid>().unwrap().to_string(), text);
}

/// The local time zone is UTC.
pub(crate) fn chrono() {
    let now = chrono::Utc::now();
    assert!(now.year() >= 2025, "{now}");
    let leap_day = chrono::Utc.with_ymd_and_hms(2024, 2, 29, 12, 0, 0).unwrap();
    assert_eq!(leap_day.to_rfc2822(), "Thu, 29 Feb 2024 12:00:00 +0000");
    let local = leap_day.with_timezone(&chrono::Local);
    assert_eq!(local.to_rfc3339(), "2024-02-29T12:00:00+00:00");
}
