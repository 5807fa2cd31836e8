//! An image's name.

use std::fmt;
use std::str::FromStr;

/// `[HOST[:PORT]/]NAME[:TAG]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// With the host, if there is one.
    pub name: String,
    /// `latest`, unless it is given.
    pub tag: String,
}

impl Reference {
    /// The last part of the name.
    #[must_use]
    pub fn title(&self) -> &str {
        let last = self.name.rsplit('/').next();
        last.unwrap_or(&self.name)
    }

    /// As Docker and containerd have it, for whom a name without a host is on Docker's own.
    #[must_use]
    pub fn normalised(&self) -> String {
        match self.name.split_once('/') {
            None => format!("docker.io/library/{self}"),
            Some((host, _)) if is_host(host) => self.to_string(),
            Some(_) => format!("docker.io/{self}"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, tag) = match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (text, "latest"),
        };
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (Some(host), path),
            _ => (None, name),
        };
        let well_formed = host.is_none_or(is_well_formed_host)
            && path.split('/').all(is_component)
            && is_tag(tag);
        match well_formed {
            true => Ok(Self {
                name: name.to_owned(),
                tag: tag.to_owned(),
            }),
            false => Err(
                "expected [HOST[:PORT]/]NAME[:TAG], the name in lower case, with digits and single . _ - between".to_owned(),
            ),
        }
    }
}

/// Whether what is before the first slash is a host's name, and not the first part of an image's.
fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':'])
}

fn is_well_formed_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "0"));
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b".-".contains(&octet);
    let digits = port.bytes().all(|octet| octet.is_ascii_digit());
    !name.is_empty() && name.bytes().all(allowed) && digits && port.parse::<u16>().is_ok()
}

fn is_component(part: &str) -> bool {
    let octets = part.as_bytes();
    let word = |octet: &u8| octet.is_ascii_lowercase() || octet.is_ascii_digit();
    let ends = [octets.first(), octets.last()];
    let separated = octets
        .windows(2)
        .all(|pair| pair.iter().any(word) || pair == b"--" || pair == b"__")
        && !part.contains("___");
    ends.into_iter().all(|end| end.is_some_and(word))
        && octets
            .iter()
            .all(|octet| word(octet) || b"._-".contains(octet))
        && separated
}

/// Up to 128 letters, digits, `_`, `.` and `-`, the last two not in front.
fn is_tag(tag: &str) -> bool {
    let rest = tag.strip_prefix(|first: char| first.is_ascii_alphanumeric() || first == '_');
    rest.is_some_and(|rest| {
        let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"_.-".contains(&octet);
        rest.len() < 128 && rest.bytes().all(allowed)
    })
}
