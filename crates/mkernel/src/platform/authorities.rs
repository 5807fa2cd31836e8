//! The authorities that Mozilla trusts, as clients look for them in a file.

/// In base64, by the value of six bits.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Octets on a line (RFC 7468 section 2): 64 characters.
const LINE: usize = 48;

/// Their certificates, as text in PEM.
pub(super) fn pem() -> Vec<u8> {
    let certificates = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let octets: usize = certificates.iter().map(|it| it.len() * 4 / 3 + 128).sum();
    let mut text = Vec::with_capacity(octets);
    for certificate in certificates {
        write(&mut text, certificate);
    }
    text
}

fn write(text: &mut Vec<u8>, certificate: &[u8]) {
    text.extend(b"-----BEGIN CERTIFICATE-----\n");
    for line in certificate.chunks(LINE) {
        for group in line.chunks(3) {
            let octet = |index| u32::from(group.get(index).copied().unwrap_or(0));
            let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
            for index in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * index) & 63) as usize];
                // Each octet takes a digit more than there would be without it.
                text.push(if index <= group.len() { digit } else { b'=' });
            }
        }
        text.push(b'\n');
    }
    text.extend(b"-----END CERTIFICATE-----\n");
}

#[cfg(test)]
mod tests {
    use super::{pem, write};

    /// RFC 4648 section 10.
    #[test]
    fn octets_are_written_in_base64() {
        for (octets, digits) in [
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut text = Vec::new();
            write(&mut text, octets.as_bytes());
            let text = String::from_utf8(text).expect("digits");
            assert_eq!(text.lines().nth(1), Some(digits));
        }
    }

    #[test]
    fn lines_are_of_64_characters_and_every_certificate_is_there() {
        let text = String::from_utf8(pem()).expect("digits");
        assert!(text.lines().all(|line| line.len() <= 64));
        let count = webpki_root_certs::TLS_SERVER_ROOT_CERTS.len();
        assert_eq!(text.matches("-----END CERTIFICATE-----\n").count(), count);
    }
}
