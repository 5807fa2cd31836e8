use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::str::FromStr;

/// An Ethernet MAC address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// A random unicast, locally administered address (IEEE 802: bit 0 of the first byte clear, bit 1 set).
    ///
    /// # Errors
    ///
    /// When `/dev/urandom` cannot be read.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 6];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        bytes[0] = bytes[0] & !1 | 2;
        Ok(Self(bytes))
    }

    /// Whether it is of a group of devices, so that none may have it (IEEE 802: bit 0 of the first byte).
    #[must_use]
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// True for 00:00:00:00:00:00, which stands for "not given".
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text that is not a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "malformed MAC address {text:?}: expected six fields of one or two hexadecimal digits, as in 02:00:00:12:34:56"
)]
pub struct ParseMacError {
    text: String,
}

impl FromStr for MacAddress {
    type Err = ParseMacError;

    /// Parses six fields of one or two hexadecimal digits, separated by colons.
    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let error = || ParseMacError {
            text: text.to_owned(),
        };
        let mut bytes = [0; 6];
        let mut fields = text.split(':');
        for byte in &mut bytes {
            let field = fields.next().ok_or_else(error)?;
            // `from_str_radix` alone would accept a sign.
            if !(1..=2).contains(&field.len()) || !field.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(error());
            }
            *byte = u8::from_str_radix(field, 16).map_err(|_| error())?;
        }
        if fields.next().is_some() {
            return Err(error());
        }
        Ok(Self(bytes))
    }
}
