use std::io::{Read, Seek};

use solo5_abi::elf::PT_NOTE;
use solo5_abi::manifest::Manifest;
use solo5_abi::note::{Abi, DESCRIPTOR_OFFSET, Header};

use super::{Error, Executable, ProgramHeader};
use crate::{NoteKind, NoteProblem};

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
        let size = segment.filesz;
        if size < Header::SIZE as u64 {
            let problem = NoteProblem::Size { size };
            return Err(Error::Note { index, problem });
        }
        if size < DESCRIPTOR_OFFSET as u64 {
            return Ok(None);
        }
        let mut start = [0; DESCRIPTOR_OFFSET];
        let what = "a note";
        let mut file = self.file();
        file.read_exact_at(what, segment.offset, &mut start)?;
        let range = kind
            .content(&start, size)
            .map_err(|problem| Error::Note { index, problem })?;
        let Some(range) = range else {
            return Ok(None);
        };
        // The end first: then no offset within the note overflows.
        file.check(what, segment.offset, range.end)?;
        let mut content = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(what, segment.offset + range.start, &mut content)?;
        Ok(Some(content))
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
