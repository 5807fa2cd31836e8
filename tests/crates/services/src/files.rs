//! What is about files.

use std::fs;
use std::path::Path;

/// Lines that a thread of its own writes, into a file.
pub(crate) fn tracing_appender() {
    let folder = Path::new("/tmp/logs");
    let appender = tracing_appender::rolling::never(folder, "service.log");
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let subscriber = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_ansi(false);
    tracing::subscriber::with_default(subscriber.finish(), || {
        for number in 0..1_000 {
            tracing::info!(number, "written");
        }
    });
    // Waits for the thread.
    drop(guard);
    let text = fs::read_to_string(folder.join("service.log")).unwrap();
    assert_eq!(text.lines().count(), 1_000);
    assert!(
        text.ends_with("services::files: written number=999\n"),
        "{text}"
    );
    // Each minute another file: the first is there at once.
    let mut rolling = tracing_appender::rolling::minutely(folder, "minutes.log");
    std::io::Write::write_all(&mut rolling, b"line\n").unwrap();
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(
        names.iter().any(|name| name.starts_with("minutes.log.2")),
        "{names:?}"
    );
}

/// Nobody tells of changes, and it says so.
pub(crate) fn notify() {
    notify::recommended_watcher(|_: notify::Result<notify::Event>| ()).unwrap();
}
