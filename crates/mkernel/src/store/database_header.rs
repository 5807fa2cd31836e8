//! What the first bytes of a database say (the format of `redb`, version 3).
//!
//! | bytes | |
//! | --- | --- |
//! | 9 | flags, of which [`UNCLOSED`] is one |
//! | 12..16 | bytes of a page |
//! | 16..20 | pages in front of each region |
//! | 20..24 | most pages of a region, beside these |

/// The length of the file counts, whatever else is said of it.
const UNCLOSED: u8 = 2;

/// How a database that was not closed is laid out: a page, and regions.
pub(super) struct DatabaseHeader {
    page: u64,
    region_header: u64,
    region: u64,
}

impl DatabaseHeader {
    pub(super) const SIZE: usize = 24;

    /// None if the database was closed, or there is no such database.
    pub(super) fn unclosed(bytes: &[u8; Self::SIZE]) -> Option<Self> {
        let number = |at: usize| {
            let number = bytes.get(at..)?.first_chunk()?;
            Some(u64::from(u32::from_le_bytes(*number)))
        };
        let header = Self {
            page: number(12)?,
            region_header: number(16)?,
            region: number(20)?,
        };
        let is_layout = header.page > 0 && header.region > 0;
        (is_layout && bytes[9] & UNCLOSED != 0).then_some(header)
    }

    /// The greatest length that is one of a database, and does not go beyond `end`; the pages of its last region fill whole
    /// steps of that many bytes.
    pub(super) fn len_within(&self, end: u64, step: u64) -> Option<u64> {
        let step = (step / self.page).max(1);
        let step = 1 << step.ilog2();
        let pages = (end / self.page).checked_sub(1)?;
        let whole = self.region_header + self.region;
        let regions = pages / whole;
        let last = (pages % whole).saturating_sub(self.region_header) / step * step;
        let last = match last {
            0 => 0,
            pages => self.region_header + pages,
        };
        let len = (1 + regions * whole + last) * self.page;
        (regions + last > 0).then_some(len)
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseHeader;

    fn header(flags: u8) -> [u8; DatabaseHeader::SIZE] {
        let mut bytes = [0; DatabaseHeader::SIZE];
        bytes[9] = flags;
        bytes[13] = 16;
        bytes[16] = 1;
        bytes[20] = 100;
        bytes
    }

    #[test]
    fn a_length_is_of_whole_regions_and_steps() {
        let header = DatabaseHeader::unclosed(&header(3)).expect("it was not closed");
        let pages = |pages: u64, step: u64| {
            let len = header.len_within(pages * 4096 + 4095, step * 4096);
            len.map(|len| len / 4096)
        };
        assert_eq!(pages(0, 1), None);
        assert_eq!(pages(2, 1), None);
        assert_eq!(pages(3, 1), Some(3));
        assert_eq!(pages(60, 1), Some(60));
        assert_eq!(pages(60, 16), Some(2 + 48));
        assert_eq!(pages(102, 1), Some(102));
        // One region, and no room for more than what is in front of the next.
        assert_eq!(pages(103, 1), Some(102));
        assert_eq!(pages(104, 1), Some(104));
    }

    #[test]
    fn a_closed_database_stays_as_it_is() {
        assert!(DatabaseHeader::unclosed(&header(1)).is_none());
        assert!(DatabaseHeader::unclosed(&[0; DatabaseHeader::SIZE]).is_none());
        assert!(DatabaseHeader::unclosed(&[2; DatabaseHeader::SIZE]).is_some());
    }
}
