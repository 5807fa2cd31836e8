//! Images with tables of partitions.

/// The checksum of a GPT, bit by bit: CRC-32 as in ISO/IEC 8802-3.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    !crc
}

/// A GPT and what is around it, before it is written to an image.
#[derive(Clone, Debug)]
pub(crate) struct Gpt {
    pub(crate) sector_size: usize,
    pub(crate) sectors: u64,
    pub(crate) header_size: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) count: u32,
    pub(crate) entry_size: u32,
    /// The first sector of the entries in front.
    pub(crate) table: u64,
    /// First and last sectors, and names.
    pub(crate) entries: Vec<(u64, u64, &'static str)>,
}

impl Gpt {
    /// 200 sectors, of which those from 40 to 159 are for partitions.
    pub(crate) fn new(sector_size: usize, entries: &[(u64, u64, &'static str)]) -> Self {
        Self {
            sector_size,
            sectors: 200,
            header_size: 92,
            first: 40,
            last: 159,
            count: 128,
            entry_size: 128,
            table: 2,
            entries: entries.to_vec(),
        }
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        let mut image = vec![0; self.sector_size * self.sectors as usize];
        record(&mut image, 0, &[(0, 0xee, 1, self.sectors as u32 - 1)]);
        let mut table = vec![0; (self.count.min(128) * self.entry_size.min(512)) as usize];
        for (index, (first, last, name)) in self.entries.iter().enumerate() {
            let entry = &mut table[index * self.entry_size as usize..][..128];
            entry[..16].fill(0xa0 + index as u8);
            entry[16..32].fill(0xb0 + index as u8);
            entry[32..40].copy_from_slice(&first.to_le_bytes());
            entry[40..48].copy_from_slice(&last.to_le_bytes());
            for (at, unit) in name.encode_utf16().enumerate() {
                entry[56 + 2 * at..][..2].copy_from_slice(&unit.to_le_bytes());
            }
        }
        self.write(&mut image, 1, self.table, &table);
        self.write(
            &mut image,
            self.sectors - 1,
            self.last.saturating_add(1),
            &table,
        );
        image
    }

    fn write(&self, image: &mut [u8], place: u64, table_place: u64, table: &[u8]) {
        let mut header = vec![0; self.sector_size];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"EFI PART");
        put(8, &0x10000_u32.to_le_bytes());
        put(12, &self.header_size.to_le_bytes());
        put(24, &place.to_le_bytes());
        put(32, &(self.sectors - place).to_le_bytes());
        put(40, &self.first.to_le_bytes());
        put(48, &self.last.to_le_bytes());
        put(72, &table_place.to_le_bytes());
        put(80, &self.count.to_le_bytes());
        put(84, &self.entry_size.to_le_bytes());
        put(88, &crc32(table).to_le_bytes());
        let size = self.sector_size.min(self.header_size as usize);
        let checksum = crc32(&header[..size]);
        header[16..20].copy_from_slice(&checksum.to_le_bytes());
        let start = (table_place as usize).saturating_mul(self.sector_size);
        if let Some(place) = image.get_mut(start..start.saturating_add(table.len())) {
            place.copy_from_slice(table);
        }
        let start = place as usize * self.sector_size;
        image[start..start + self.sector_size].copy_from_slice(&header);
    }
}

/// A partition in an MBR: whether it is active, the code, the first sector and how many.
pub(crate) type Slot = (u8, u8, u32, u32);

/// Writes an MBR, or what is like it in front of a logical partition.
pub(crate) fn record(image: &mut [u8], sector: usize, slots: &[Slot]) {
    let record = &mut image[512 * sector..512 * (sector + 1)];
    for (index, (active, code, first, count)) in slots.iter().enumerate() {
        let slot = &mut record[446 + 16 * index..][..16];
        slot[0] = *active;
        slot[4] = *code;
        slot[8..12].copy_from_slice(&first.to_le_bytes());
        slot[12..].copy_from_slice(&count.to_le_bytes());
    }
    record[510..].copy_from_slice(&[0x55, 0xaa]);
}
