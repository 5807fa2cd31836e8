use super::Udp;

#[test]
fn shown_as_in_proc_net_snmp() {
    let udp = Udp {
        in_datagrams: 3,
        no_ports: 1,
        ..Udp::default()
    };
    let text = udp.to_string();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors"
        )
    );
    assert_eq!(lines.next(), Some("Udp: 3 1 0 0 0 0 0"));
    assert_eq!(udp.entries()[1], ("NoPorts", 1));
}
