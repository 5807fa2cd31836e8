use super::*;

fn parsed(line: &str) -> (Settings, usize) {
    parse(line.split(' ')).expect("settings")
}

#[test]
fn settings_are_taken_up_to_the_first_argument_that_is_none() {
    let (settings, taken) = parsed(
        "--name web --ipv4=10.0.0.9/16 --dns 9.9.9.9 --env A=b=c serve --ipv4-gateway 10.0.0.1",
    );
    assert_eq!(taken, 7);
    assert_eq!(settings.name.as_deref(), Some("web"));
    assert_eq!(
        settings.ipv4.map(|it| it.to_string()).as_deref(),
        Some("10.0.0.9/16")
    );
    assert_eq!(settings.dns, [IpAddr::from([9, 9, 9, 9])]);
    assert_eq!(settings.env, [("A".to_owned(), "b=c".to_owned())]);
    assert_eq!(settings.ipv4_gateway, None);
}

#[test]
fn addresses_of_ipv6_may_be_repeated() {
    let (settings, taken) = parsed(
        "--ipv6=fd00::2/64 --ipv6 2001:db8::2/48 --ipv6-gateway fe80::1 --accept-ra=false --dns fd00::1",
    );
    let addresses = settings.ipv6.iter().map(ToString::to_string);
    assert_eq!(
        addresses.collect::<Vec<_>>(),
        ["fd00::2/64", "2001:db8::2/48"]
    );
    assert_eq!(settings.ipv6_gateway, "fe80::1".parse().ok());
    assert_eq!((settings.accept_ra, taken), (Some(false), 8));
    assert_eq!(settings.dns, ["fd00::1".parse::<IpAddr>().expect("one")]);
}

#[test]
fn servers_of_dhcpv6_are_asked_when_it_says() {
    for (line, said) in [
        ("--dhcp", None),
        ("--dhcpv6 advertised", Some(Dhcpv6::Advertised)),
        ("--dhcpv6=always", Some(Dhcpv6::Always)),
        ("--dhcpv6=never", Some(Dhcpv6::Never)),
    ] {
        assert_eq!(parsed(line).0.dhcpv6, said);
    }
}

#[test]
fn two_dashes_end_the_settings_and_are_taken() {
    let (settings, taken) = parsed("--dhcp -- --name mine");
    assert_eq!((settings.dhcp, settings.name, taken), (true, None, 2));
    assert_eq!(parsed("-- --dhcp").1, 1);
}

#[test]
fn what_cannot_be_meant_is_an_error_that_names_it() {
    for (line, named) in [
        ("--ipv4 10.0.0.300/24", "10.0.0.300/24"),
        ("--ipv4-gateway here", "here"),
        ("--ipv6 fd00::2", "fd00::2"),
        ("--ipv6 10.0.0.2/24", "10.0.0.2/24"),
        ("--ipv6-gateway 10.0.0.1", "10.0.0.1"),
        ("--accept-ra maybe", "maybe"),
        ("--dhcpv6 maybe", "maybe"),
        ("--env novalue", "novalue"),
        ("--dns", "--dns"),
        ("--authorities ca.pem", "ca.pem"),
        ("--dhcp=yes", "yes"),
        ("--dhcp --ipv4 10.0.0.2/24", "--dhcp"),
    ] {
        let error = parse(line.split(' ')).expect_err(line);
        assert!(error.contains(named), "{line}: {error}");
    }
}
