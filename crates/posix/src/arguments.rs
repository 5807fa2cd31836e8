//! What whoever starts the program says of it before the program's own arguments.

use core::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netstack::proto::ip::{v4, v6};

/// Settings that stand first on the command line, in the words of `mkernel::cli`; the program does not see them.
///
/// ```text
/// --name NAME            the program's name, for the log, and as a host's where there is no other
/// --hostname NAME        the name that `gethostname` tells
/// --ipv4 ADDRESS/PREFIX  our address [default: 10.0.0.2/24]
/// --ipv4-gateway ADDRESS the router to all other networks
/// --dhcp                 asks for address, router and name servers
/// --ipv6 ADDRESS/PREFIX  an address of IPv6; may be repeated
/// --ipv6-gateway ADDRESS the router to all other networks of IPv6, where none shows itself
/// --accept-ra BOOL       takes addresses and routers of IPv6 from router advertisements [default: true]
/// --dhcpv6 WHEN          asks for an address of IPv6: advertised, always or never [default: advertised]
/// --dns ADDRESS          a name server; may be repeated
/// --env KEY=VALUE        a variable of the environment; may be repeated
/// --authorities PEM      the certificates of the authorities to trust, which are in /etc/ssl/cert.pem
/// --                     ends the settings, and is taken too
/// ```
///
/// A value may stand in the same argument, behind `=`. The first argument that is none of these is the program's, with all
/// that follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The name of this unikernel.
    pub name: Option<String>,
    /// Its name among hosts.
    pub hostname: Option<String>,
    /// Our address and the length of its network's prefix.
    pub ipv4: Option<v4::Cidr>,
    /// The router to all other networks.
    pub ipv4_gateway: Option<Ipv4Addr>,
    /// Whether to ask the network's DHCP server.
    pub dhcp: bool,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Addresses of IPv6, and the lengths of their networks' prefixes.
    pub ipv6: Vec<v6::Cidr>,
    /// The router to all other networks of IPv6.
    pub ipv6_gateway: Option<Ipv6Addr>,
    /// Whether router advertisements are heeded, if that was said.
    pub accept_ra: Option<bool>,
    /// When servers of DHCPv6 are asked, if that was said.
    pub dhcpv6: Option<Dhcpv6>,
    /// Variables of the environment.
    pub env: Vec<(String, String)>,
    /// The authorities to trust, in PEM.
    pub authorities: Option<String>,
}

/// When servers of DHCPv6 are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dhcpv6 {
    /// For an address, or for name servers, when a router says that there are such servers.
    Advertised,
    /// For an address before the first socket is there, which is waited for.
    Always,
    /// Never.
    Never,
}

global! {
    static SETTINGS: RefCell<Option<Settings>> = RefCell::new(None);
    static WORDS: RefCell<Vec<Vec<u8>>> = RefCell::new(Vec::new());
}

/// Calls `f` with the settings that the program was started with.
pub(crate) fn with<R>(f: impl FnOnce(&Settings) -> R) -> R {
    SETTINGS.with(|settings| f(settings.borrow_mut().get_or_insert_default()))
}

/// Calls `f` with the program's name and its arguments.
pub(crate) fn with_words<R>(f: impl FnOnce(&[Vec<u8>]) -> R) -> R {
    WORDS.with(|words| f(&words.borrow()))
}

/// What `gethostname` tells.
pub(crate) fn host_name() -> String {
    with(|settings| {
        let name = settings.hostname.as_ref().or(settings.name.as_ref());
        name.map_or("localhost", String::as_str).to_owned()
    })
}

/// Reads settings from the arguments behind the program's name; how many they are. An error is a line for people.
fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<(Settings, usize), String> {
    let mut settings = Settings::default();
    let mut taken = 0;
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            taken += 1;
            break;
        }
        let (key, mut value) = match argument.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (argument, None),
        };
        if !settings.knows(key) {
            break;
        }
        if key == "--dhcp" {
            if let Some(value) = value {
                return Err(format!("--dhcp={value}: expected no value"));
            }
            settings.dhcp = true;
            taken += 1;
            continue;
        }
        taken += 1;
        if value.is_none() {
            value = arguments.next();
            taken += 1;
        }
        let value = value.ok_or_else(|| format!("{key}: expected a value"))?;
        settings.set(key, value)?;
    }
    if settings.dhcp && (settings.ipv4.is_some() || settings.ipv4_gateway.is_some()) {
        return Err("--dhcp: expected neither --ipv4 nor --ipv4-gateway beside it".to_owned());
    }
    Ok((settings, taken))
}

impl Settings {
    fn knows(&self, key: &str) -> bool {
        matches!(
            key,
            "--name"
                | "--hostname"
                | "--ipv4"
                | "--ipv4-gateway"
                | "--dhcp"
                | "--dns"
                | "--ipv6"
                | "--ipv6-gateway"
                | "--accept-ra"
                | "--dhcpv6"
                | "--env"
                | "--authorities"
        )
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        const ADDRESS: &str = "an address, like 10.0.0.1";
        let refused = |why| format!("{key} {value}: {why}");
        match key {
            "--name" => self.name = Some(value.to_owned()),
            "--hostname" => self.hostname = Some(value.to_owned()),
            "--ipv4" => self.ipv4 = Some(value.parse().map_err(refused)?),
            "--ipv4-gateway" => self.ipv4_gateway = Some(read(key, value, ADDRESS)?),
            "--dns" => self.dns.push(read(key, value, ADDRESS)?),
            "--ipv6" => self.ipv6.push(value.parse().map_err(refused)?),
            "--ipv6-gateway" => {
                let expected = "an IPv6 address, like fd00::1";
                self.ipv6_gateway = Some(read(key, value, expected)?);
            }
            "--accept-ra" => self.accept_ra = Some(read(key, value, "true or false")?),
            "--dhcpv6" => {
                self.dhcpv6 = Some(match value {
                    "advertised" => Dhcpv6::Advertised,
                    "always" => Dhcpv6::Always,
                    "never" => Dhcpv6::Never,
                    _ => {
                        let expected = "advertised, always or never";
                        return Err(format!("{key} {value}: expected {expected}"));
                    }
                });
            }
            "--authorities" if !value.contains("-----BEGIN CERTIFICATE-----") => {
                return Err(format!(
                    "--authorities {value}: expected certificates, as text in PEM"
                ));
            }
            "--authorities" => self.authorities = Some(value.to_owned()),
            _ => match value.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    self.env.push((name.to_owned(), value.to_owned()));
                }
                _ => return Err(format!("--env {value}: expected KEY=VALUE")),
            },
        }
        Ok(())
    }
}

fn read<T: core::str::FromStr>(key: &str, value: &str, expected: &str) -> Result<T, String> {
    let expected = |_| format!("{key} {value}: expected {expected}");
    value.parse().map_err(expected)
}

#[cfg(solo5)]
pub(crate) use argv::take;

#[cfg(solo5)]
mod argv {
    use core::ffi::{CStr, c_char, c_int};
    use std::ffi::CString;

    use super::{SETTINGS, Settings, WORDS, parse};
    use crate::report;

    /// The exit status for a command line that is no good (`EX_USAGE` of BSD's sysexits), as `mkernel::cli` has it.
    const USAGE: c_int = 64;

    /// Takes the settings off the arguments of `main`, and puts what they say of the environment there.
    ///
    /// # Safety
    ///
    /// The arguments are those of C's `main`, which has not been called yet.
    pub(crate) unsafe fn take(
        count: c_int,
        arguments: *const *mut c_char,
    ) -> (c_int, *const *mut c_char) {
        let number = usize::try_from(count).unwrap_or(0);
        let text = |index: usize| {
            // SAFETY: there are so many strings of C, which stay.
            let argument = unsafe { CStr::from_ptr(*arguments.add(index)) };
            argument.to_str()
        };
        // What is not UTF-8 is none of ours.
        let readable = (1..number).map_while(|index| text(index).ok());
        let (settings, taken) = match parse(readable) {
            Ok(parsed) => parsed,
            Err(why) => report::end(&why, USAGE),
        };
        set_variables(&settings);
        SETTINGS.with(|kept| *kept.borrow_mut() = Some(settings));
        let octets = |index: usize| {
            // SAFETY: as above.
            unsafe { CStr::from_ptr(*arguments.add(index)) }
                .to_bytes()
                .to_vec()
        };
        let words = (0..number).filter(|index| *index == 0 || *index > taken);
        WORDS.with(|kept| *kept.borrow_mut() = words.map(octets).collect());
        if taken == 0 {
            return (count, arguments);
        }
        // The array is nolibc's, which has given it to us alone: the name moves up to the arguments that are left.
        // SAFETY: see above; `taken` is less than the number of arguments.
        unsafe {
            let rest = arguments.add(taken);
            rest.cast_mut().write(arguments.read());
            (count - taken as c_int, rest)
        }
    }

    fn set_variables(settings: &Settings) {
        for (name, value) in &settings.env {
            // Neither has a zero in it, as they come from strings of C.
            if let (Ok(name), Ok(value)) = (CString::new(&**name), CString::new(&**value)) {
                // SAFETY: both are strings of C, which it copies.
                unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
            }
        }
    }
}

#[cfg(test)]
mod tests;
