//! Signatures, authentication codes and encryption.

use ed25519_dalek::{Signer as _, Verifier as _};

/// A key of its own, of the least size that is accepted: searching for primes takes its time.
pub(crate) fn rsa() {
    let key = rsa::PrivateKey::new(&mut rand::rng(), 1_024).unwrap();
    let public = key.to_public_key();
    let secret = public.oaep_encrypt::<rsa::sha2::Sha256>(b"secret").unwrap();
    assert_eq!(
        key.oaep_decrypt::<rsa::sha2::Sha256>(&secret).unwrap(),
        b"secret"
    );
    let signature = key.pss_sign::<rsa::sha2::Sha256>(b"frame").unwrap();
    assert!(
        public
            .pss_verify::<rsa::sha2::Sha256>(b"frame", &signature)
            .is_ok()
    );
    assert!(
        public
            .pss_verify::<rsa::sha2::Sha256>(b"Frame", &signature)
            .is_err()
    );
}

/// RFC 8032, section 7.1, test 1; and a key of its own.
pub(crate) fn ed25519_dalek() {
    let secret = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
        0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
        0x7f, 0x60,
    ];
    let key = ed25519_dalek::SigningKey::from_bytes(&secret);
    assert_eq!(
        key.verifying_key().as_bytes()[..4],
        [0xd7, 0x5a, 0x98, 0x01]
    );
    assert_eq!(key.sign(b"").to_bytes()[..4], [0xe5, 0x56, 0x43, 0x00]);
    let key = ed25519_dalek::SigningKey::generate(&mut rand::rng());
    let signature = key.sign(b"frame");
    assert!(key.verifying_key().verify(b"frame", &signature).is_ok());
    assert!(key.verifying_key().verify(b"Frame", &signature).is_err());
}

/// Two crates of one interface: RFC 4231's test case 2, a signature, and encryption there and back.
macro_rules! interface {
    ($($function:ident of $krate:ident;)*) => {
        $(
            pub(crate) fn $function() {
                use $krate::{aead, hmac, rand, signature};
                use $krate::signature::KeyPair as _;

                let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
                let tag = hmac::sign(&key, b"what do ya want for nothing?");
                assert_eq!(tag.as_ref()[..4], [0x5b, 0xdc, 0xc1, 0x46]);

                let random = rand::SystemRandom::new();
                let pair = signature::Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                let pair = signature::Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
                let public = pair.public_key().as_ref();
                let public = signature::UnparsedPublicKey::new(&signature::ED25519, public);
                let signed = pair.sign(b"frame");
                assert!(public.verify(b"frame", signed.as_ref()).is_ok());
                assert!(public.verify(b"Frame", signed.as_ref()).is_err());

                for algorithm in [&aead::AES_256_GCM, &aead::CHACHA20_POLY1305] {
                    let key = aead::UnboundKey::new(algorithm, &[7; 32]).unwrap();
                    let key = aead::LessSafeKey::new(key);
                    let nonce = || aead::Nonce::assume_unique_for_key([1; 12]);
                    let mut text = b"plain".to_vec();
                    key.seal_in_place_append_tag(nonce(), aead::Aad::empty(), &mut text).unwrap();
                    assert_ne!(&text[..5], b"plain");
                    let plain = key.open_in_place(nonce(), aead::Aad::empty(), &mut text).unwrap();
                    assert_eq!(plain, b"plain");
                }
            }
        )*
    };
}

interface! {
    ring of ring;
    aws_lc_rs of aws_lc_rs;
}
