//! Certificates, made by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Who signs certificates, in a folder of its own that has them all.
#[derive(Debug)]
pub struct Authority(TempDir);

/// A certificate and its key, as files in PEM.
#[derive(Debug)]
pub struct Signed {
    /// The file with the certificate.
    pub certificate: PathBuf,
    /// The file with its private key.
    pub key: PathBuf,
}

const KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
];

/// Where a list of certificates taken back would be: who wants one to be named is not after the list itself.
const REVOCATION: &str = "crlDistributionPoints=URI:http://10.0.0.1/crl";

impl Authority {
    /// A new one, for two days.
    #[allow(clippy::new_without_default, reason = "it runs a program")]
    pub fn new() -> Self {
        let authority = Self(TempDir::new().unwrap());
        let request = [
            "req",
            "-x509",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-subj",
            "/CN=authority",
        ];
        authority.openssl(&[&request[..], &KEY, &["-days", "2"]].concat());
        authority
    }

    /// The file with its own certificate, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// That certificate as if it were a server's.
    pub fn itself(&self) -> Signed {
        self.signed("ca.pem", "ca.key")
    }

    /// A certificate for `host`, such as `IP:10.0.0.2`, that is good for so many days from now.
    pub fn sign(&self, name: &str, host: &str, days: i32) -> Signed {
        let (request, certificate) = (format!("{name}.csr"), format!("{name}.pem"));
        let (key, subject) = (format!("{name}.key"), format!("/CN={name}"));
        let names = format!("subjectAltName={host}");
        let asked = ["req", "-keyout", &key, "-out", &request, "-subj", &subject];
        let extensions = ["-addext", &names, "-addext", REVOCATION];
        self.openssl(&[&asked[..], &extensions, &KEY].concat());
        let days = days.to_string();
        let by = [
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-copy_extensions",
            "copy",
        ];
        let signed = [
            "x509",
            "-req",
            "-in",
            &request,
            "-out",
            &certificate,
            "-days",
            &days,
        ];
        self.openssl(&[&signed[..], &by].concat());
        self.signed(&certificate, &key)
    }

    /// One that nobody else has signed.
    pub fn self_signed(&self, host: &str) -> Signed {
        let names = format!("subjectAltName={host}");
        let request = [
            "req", "-x509", "-keyout", "self.key", "-out", "self.pem", "-subj", "/CN=self",
        ];
        self.openssl(&[&request[..], &KEY, &["-days", "2", "-addext", &names]].concat());
        self.signed("self.pem", "self.key")
    }

    fn signed(&self, certificate: &str, key: &str) -> Signed {
        Signed {
            certificate: self.path(certificate),
            key: self.path(key),
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    #[track_caller]
    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .unwrap_or_else(|error| panic!("cannot run openssl, which ci/setup installs: {error}"));
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}

/// `option` with the text of a file as its value.
pub fn with_text(option: &str, file: &Path) -> String {
    format!("{option}={}", fs::read_to_string(file).unwrap())
}
