//! Databases, file systems and caches.

use std::io::{Cursor, Read as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redb::{ReadableDatabase as _, ReadableTable as _};

fn main() -> ExitCode {
    rows::run(&[
        ("redb", redb),
        ("fatfs", fatfs),
        ("moka", moka),
        ("rusqlite", rusqlite),
        ("sqlx", sqlx),
    ])
}

const STOCK: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("stock");

/// In memory; a block device needs a `StorageBackend` of the program's.
fn redb() {
    let backend = redb::backends::InMemoryBackend::new();
    let database = redb::Database::builder()
        .create_with_backend(backend)
        .unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut stock = write.open_table(STOCK).unwrap();
        for (number, name) in ["pears", "apples", "plums"].into_iter().enumerate() {
            stock.insert(name, number as u64).unwrap();
        }
    }
    write.commit().unwrap();
    let aborted = database.begin_write().unwrap();
    aborted
        .open_table(STOCK)
        .unwrap()
        .insert("apples", 99)
        .unwrap();
    aborted.abort().unwrap();
    let read = database.begin_read().unwrap();
    let stock = read.open_table(STOCK).unwrap();
    let names: Vec<(String, u64)> = stock
        .iter()
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|(name, number)| (name.value().to_owned(), number.value()))
        .collect();
    let expected = [("apples", 1), ("pears", 0), ("plums", 2)];
    assert_eq!(
        names,
        expected.map(|(name, number)| (name.to_owned(), number))
    );
}

/// In memory; a block device needs `Read`, `Write` and `Seek` of the program's.
fn fatfs() {
    let mut disk = Cursor::new(vec![0; 4 << 20]);
    fatfs::format_volume(&mut disk, fatfs::FormatVolumeOptions::new()).unwrap();
    disk.set_position(0);
    {
        let volume = fatfs::FileSystem::new(&mut disk, fatfs::FsOptions::new()).unwrap();
        let root = volume.root_dir();
        root.create_dir("logs").unwrap();
        let mut file = root.create_file("logs/a long name.txt").unwrap();
        file.write_all(&[b'x'; 100_000]).unwrap();
    }
    disk.set_position(0);
    let volume = fatfs::FileSystem::new(&mut disk, fatfs::FsOptions::new()).unwrap();
    let mut text = String::new();
    let mut file = volume.root_dir().open_file("logs/a long name.txt").unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text.len(), 100_000);
    assert!(volume.root_dir().open_file("absent").is_err());
}

fn moka() {
    static LOADED: AtomicUsize = AtomicUsize::new(0);
    let cache = moka::sync::Cache::builder()
        .max_capacity(100)
        .time_to_live(Duration::from_secs(60))
        .build();
    for _ in 0..3 {
        let square = cache.get_with(12_u64, || {
            LOADED.fetch_add(1, Ordering::Relaxed);
            144_u64
        });
        assert_eq!(square, 144);
    }
    assert_eq!(LOADED.load(Ordering::Relaxed), 1);
    (0..10_000).for_each(|number| cache.insert(number, number * number));
    cache.run_pending_tasks();
    assert!(cache.entry_count() <= 100);
}

/// SQLite, in C, in memory.
fn rusqlite() {
    let mut database = rusqlite::Connection::open_in_memory().unwrap();
    database
        .execute_batch("CREATE TABLE host (name TEXT PRIMARY KEY, load REAL, seen INTEGER)")
        .unwrap();
    let transaction = database.transaction().unwrap();
    for number in 0..1_000 {
        let values = (
            format!("host{number:04}"),
            f64::from(number) / 8.0,
            number % 7,
        );
        transaction
            .execute("INSERT INTO host VALUES (?1, ?2, ?3)", values)
            .unwrap();
    }
    transaction.commit().unwrap();
    let query = "SELECT count(*), max(load), printf('%.2f|%s', avg(load), max(name)) FROM host
        WHERE seen = 3 AND name LIKE 'host0%' ORDER BY 1";
    let answer: (i64, f64, String) = database
        .query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!(answer, (143, 124.625, "62.50|host0997".to_owned()));
    let twice = database.execute("INSERT INTO host VALUES ('host0001', 0, 0)", []);
    assert!(twice.is_err());
    let now: String = database
        .query_row("SELECT date('now')", [], |row| row.get(0))
        .unwrap();
    assert!(now.as_str() > "2025", "{now}");
    // Files are what Solo5 has not.
    assert!(rusqlite::Connection::open("/x.db").is_err());
}

/// Queries are built and options read. A connection wants tokio's sockets, which Solo5 has not.
fn sqlx() {
    use sqlx::postgres::{PgConnectOptions, Postgres};

    let mut query = sqlx::QueryBuilder::<Postgres>::new("SELECT name FROM host WHERE load > ");
    query.push_bind(0.5).push(" AND seen = ").push_bind(7_i64);
    assert_eq!(
        query.into_string(),
        "SELECT name FROM host WHERE load > $1 AND seen = $2"
    );
    let options: PgConnectOptions = "postgres://me:secret@10.0.0.1:5433/hosts".parse().unwrap();
    assert_eq!((options.get_host(), options.get_port()), ("10.0.0.1", 5433));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    assert_eq!(runtime.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
}
