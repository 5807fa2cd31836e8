use super::*;

#[test]
fn an_attribute_has_its_length_and_ends_at_a_multiple_of_four() {
    let mut bytes = Vec::new();
    attribute(&mut bytes, TCA_KIND, b"u32\0");
    attribute(&mut bytes, IFLA_MTU, &[7; 5]);
    let expected = [
        8, 0, 1, 0, b'u', b'3', b'2', 0, 9, 0, 4, 0, 7, 7, 7, 7, 7, 0, 0, 0,
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn an_acknowledgement_tells_the_error() {
    let answer = |kind: u16, number: i32| {
        let mut answer = vec![0; HEADER];
        answer[4..6].copy_from_slice(&kind.to_ne_bytes());
        answer.extend(number.to_ne_bytes());
        answer
    };
    assert!(outcome(&answer(NLMSG_ERROR, 0)).is_ok());
    let error = outcome(&answer(NLMSG_ERROR, -libc::EPERM)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    for no_acknowledgement in [
        answer(16, 0),
        answer(NLMSG_ERROR, 0)[..18].to_vec(),
        Vec::new(),
    ] {
        assert!(outcome(&no_acknowledgement).is_err());
    }
}
