use super::*;

#[test]
fn the_gateway_is_that_of_the_interfaces_default_route() {
    let routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n\
        eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n\
        eth1\t00000000\t0200000A\t0003\t0\t0\t0\t00000000\n\
        eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\n\
        eth2\t00000000\t00000000\t0001\t0\t0\t0\t00000000\n";
    assert_eq!(gateway(routes, "eth0"), Some(Ipv4Addr::new(172, 17, 0, 1)));
    assert_eq!(gateway(routes, "eth1"), Some(Ipv4Addr::new(10, 0, 0, 2)));
    // Whoever is asked for answers there for itself.
    assert_eq!(gateway(routes, "eth2"), None);
    assert_eq!(gateway("eth0\t00000000\tnone\n", "eth0"), None);
    assert_eq!(gateway("", "eth0"), None);
}

#[test]
fn hardware_is_not_taken_from_the_machine() {
    let class = tempfile::tempdir().unwrap();
    fs::create_dir_all(class.path().join("eth0/device")).unwrap();
    fs::create_dir_all(class.path().join("veth0")).unwrap();
    let error = check(class.path(), "eth0").unwrap_err();
    assert!(error.contains("not --network host"), "{error}");
    assert_eq!(check(class.path(), "veth0"), Ok(()));
}
