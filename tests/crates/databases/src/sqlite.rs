use rusqlite::Connection;

use super::{Database, content};

pub(super) fn open(journal: &str) -> Connection {
    let database = Connection::open("/rows.sqlite").unwrap();
    // Without it a write-ahead log wants memory that processes share.
    database
        .pragma_update(None, "locking_mode", "EXCLUSIVE")
        .unwrap();
    database
        .pragma_update(None, "journal_mode", journal)
        .unwrap();
    database.pragma_update(None, "synchronous", "FULL").unwrap();
    database
        .execute(
            "CREATE TABLE IF NOT EXISTS row (number INTEGER PRIMARY KEY, content BLOB)",
            [],
        )
        .unwrap();
    database
}

impl Database for Connection {
    fn check(&mut self) -> u64 {
        let verdict: String = self
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(verdict, "ok");
        let mut query = self
            .prepare("SELECT number, content FROM row ORDER BY number")
            .unwrap();
        let rows = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let mut count = 0;
        for row in rows {
            let (number, found): (i64, Vec<u8>) = row.unwrap();
            count += 1;
            assert_eq!(number, count);
            assert_eq!(found, content(number as u64));
        }
        count as u64
    }

    fn add(&mut self, number: u64) {
        let transaction = self.transaction().unwrap();
        transaction
            .execute(
                "INSERT INTO row VALUES (?1, ?2)",
                (number as i64, content(number)),
            )
            .unwrap();
        transaction.commit().unwrap();
    }
}
