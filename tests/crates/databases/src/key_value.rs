use redb::{ReadableDatabase as _, ReadableTable as _};

use super::{Database, content};

/// What is found, in order.
fn check(rows: impl Iterator<Item = (u64, Vec<u8>)>) -> u64 {
    let mut count = 0;
    for (number, found) in rows {
        count += 1;
        assert_eq!(number, count);
        assert_eq!(found, content(number));
    }
    count
}

fn number(key: &[u8]) -> u64 {
    u64::from_be_bytes(key.try_into().expect("eight octets"))
}

const ROWS: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("rows");

pub(super) struct Redb(redb::Database);

impl Redb {
    pub(super) fn open() -> Self {
        let database = redb::Database::create("/rows.redb").unwrap();
        let write = database.begin_write().unwrap();
        drop(write.open_table(ROWS).unwrap());
        write.commit().unwrap();
        Self(database)
    }
}

impl Database for Redb {
    fn check(&mut self) -> u64 {
        let read = self.0.begin_read().unwrap();
        let rows = read.open_table(ROWS).unwrap();
        let rows = rows.iter().unwrap().map(|row| row.unwrap());
        check(rows.map(|(number, content)| (number.value(), content.value().to_vec())))
    }

    fn add(&mut self, number: u64) {
        let write = self.0.begin_write().unwrap();
        let mut rows = write.open_table(ROWS).unwrap();
        rows.insert(number, &content(number)[..]).unwrap();
        drop(rows);
        write.commit().unwrap();
    }
}

pub(super) struct Sled(sled::Db);

impl Sled {
    pub(super) fn open() -> Self {
        Self(sled::open("/rows.sled").unwrap())
    }
}

impl Database for Sled {
    fn check(&mut self) -> u64 {
        let rows = self.0.iter().map(|row| row.unwrap());
        check(rows.map(|(key, content)| (number(&key), content.to_vec())))
    }

    fn add(&mut self, number: u64) {
        self.0
            .insert(number.to_be_bytes(), content(number))
            .unwrap();
        self.0.flush().unwrap();
    }
}

pub(super) struct Fjall {
    keyspace: fjall::Keyspace,
    rows: fjall::PartitionHandle,
}

impl Fjall {
    pub(super) fn open() -> Self {
        let keyspace = fjall::Config::new("/rows.fjall").open().unwrap();
        let options = fjall::PartitionCreateOptions::default();
        let rows = keyspace.open_partition("rows", options).unwrap();
        Self { keyspace, rows }
    }
}

impl Database for Fjall {
    fn check(&mut self) -> u64 {
        let rows = self.rows.iter().map(|row| row.unwrap());
        check(rows.map(|(key, content)| (number(&key), content.to_vec())))
    }

    fn add(&mut self, number: u64) {
        self.rows
            .insert(number.to_be_bytes(), content(number))
            .unwrap();
        self.keyspace.persist(fjall::PersistMode::SyncAll).unwrap();
    }
}
