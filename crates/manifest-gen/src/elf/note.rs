use std::io::{Read, Seek};

use solo5_abi::elf::PT_NOTE;
use solo5_abi::manifest::Manifest;
use solo5_abi::note::{
    ABI1_ALIGN, ABI1_DESCRIPTOR_MAX, Abi, DESCRIPTOR_OFFSET, Header, MFT1_ALIGN,
    MFT1_DESCRIPTOR_MAX, NAME, NAME_SIZE, TYPE_ABI1, TYPE_MFT1,
};

use super::{Error, Executable, NoteProblem, ProgramHeader};

/// The notes that Solo5 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// Target and ABI version.
    Abi1,
    /// The manifest.
    Mft1,
}

impl NoteKind {
    /// The note's type, read as four letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abi1 => "ABI1",
            Self::Mft1 => "MFT1",
        }
    }

    const fn raw_type(self) -> u32 {
        match self {
            Self::Abi1 => TYPE_ABI1,
            Self::Mft1 => TYPE_MFT1,
        }
    }

    /// Bytes of padding between the name and the content.
    const fn pad(self) -> u32 {
        let align = match self {
            Self::Abi1 => ABI1_ALIGN,
            Self::Mft1 => MFT1_ALIGN,
        };
        (DESCRIPTOR_OFFSET.next_multiple_of(align) - DESCRIPTOR_OFFSET) as u32
    }

    const fn descriptor_max(self) -> u32 {
        match self {
            Self::Abi1 => ABI1_DESCRIPTOR_MAX,
            Self::Mft1 => MFT1_DESCRIPTOR_MAX,
        }
    }
}

impl<R: Read + Seek> Executable<R> {
    /// The content of the first note of this kind, at most some kilobytes.
    ///
    /// Only the first note of each `PT_NOTE` segment is looked at, as Solo5's tools do.
    ///
    /// # Errors
    ///
    /// When there is no such note, when it does not fit its segment or the file, or when a `PT_NOTE`
    /// segment in front of it is too small for any note.
    pub fn note(&mut self, kind: NoteKind) -> Result<Vec<u8>, Error> {
        for index in 0..self.program_headers.len() {
            let header = self.program_headers[index];
            if header.kind != PT_NOTE {
                continue;
            }
            if let Some(content) = self.note_in(index, &header, kind)? {
                return Ok(content);
            }
        }
        Err(Error::NoteMissing { name: kind.name() })
    }

    fn note_in(
        &mut self,
        index: usize,
        segment: &ProgramHeader,
        kind: NoteKind,
    ) -> Result<Option<Vec<u8>>, Error> {
        let filesz = segment.filesz;
        let malformed = |problem| Err(Error::Note { index, problem });
        if filesz < Header::SIZE as u64 {
            return malformed(NoteProblem::Segment { filesz });
        }
        if filesz < DESCRIPTOR_OFFSET as u64 {
            return Ok(None);
        }
        let mut start = [0; DESCRIPTOR_OFFSET];
        let what = "a note";
        self.file()
            .read_exact_at(what, segment.offset, &mut start)?;
        let Some((header, name)) = start.split_first_chunk() else {
            return Ok(None);
        };
        let header = Header::from_bytes(header);
        if header.namesz != NAME_SIZE || name != NAME || header.kind != kind.raw_type() {
            return Ok(None);
        }
        let (min, max) = (kind.pad() + 1, kind.descriptor_max());
        let found = header.descsz;
        if !(min..=max).contains(&found) {
            return malformed(NoteProblem::Descriptor { found, min, max });
        }
        let expected = DESCRIPTOR_OFFSET as u64 + u64::from(found);
        if filesz < expected {
            return malformed(NoteProblem::Truncated { filesz, expected });
        }
        let mut file = self.file();
        file.check(what, segment.offset, expected)?;
        let content = segment.offset + DESCRIPTOR_OFFSET as u64 + u64::from(kind.pad());
        let mut bytes = vec![0; (found - kind.pad()) as usize];
        file.read_exact_at(what, content, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// The target and the ABI version that the executable was linked for.
    ///
    /// # Errors
    ///
    /// As [`note`](Self::note), and when the note is too short.
    pub fn abi(&mut self) -> Result<Abi, Error> {
        let content = self.note(NoteKind::Abi1)?;
        let mut bytes = [0; Abi::SIZE];
        // The reserved words may be missing: nobody reads them.
        if content.len() < 8 {
            return Err(Error::AbiSize {
                found: content.len(),
            });
        }
        for (byte, found) in bytes.iter_mut().zip(&content) {
            *byte = *found;
        }
        Ok(Abi::from_bytes(&bytes))
    }

    /// The manifest as the note holds it: valid by the rules of [`Manifest::parse`].
    ///
    /// # Errors
    ///
    /// As [`note`](Self::note), and when the note holds something else than a manifest.
    pub fn manifest_bytes(&mut self) -> Result<Vec<u8>, Error> {
        let content = self.note(NoteKind::Mft1)?;
        Manifest::parse(&content)?;
        Ok(content)
    }
}
