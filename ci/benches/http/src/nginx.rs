//! nginx, of the Debian package `nginx`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Result;

/// Whether it is installed.
pub fn is_there() -> bool {
    let version = Command::new("nginx")
        .arg("-v")
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

pub fn command(configuration: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-c").arg(configuration);
    command
}

/// Writes its configuration into `files`, and returns where it is. One worker; no log of requests, as no other
/// subject has one; connections that are kept for as long as the client keeps them.
pub fn configure(files: &Path, certificate: &Path, key: &Path) -> Result<PathBuf> {
    let path = files.join("nginx.conf");
    let [files, certificate, key] = [files, certificate, key].map(Path::display);
    let text = format!(
        "\
user root;
daemon off;
worker_processes 1;
pid {files}/nginx.pid;
error_log stderr;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    default_type text/plain;
    server {{
        listen 80 backlog=4096;
        listen 443 ssl backlog=4096;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        location = /healthz {{
            return 200 \"ok\\n\";
        }}
        location /download/ {{
            alias {files}/;
        }}
    }}
}}
"
    );
    fs::write(&path, text)?;
    Ok(path)
}
