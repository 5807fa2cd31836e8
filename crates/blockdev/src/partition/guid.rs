use core::fmt;

/// A globally unique identifier, in the order of bytes in which a GPT has it. It is displayed as
/// other systems do.
///
/// ```
/// use blockdev::partition::Guid;
///
/// let linux_filesystem = Guid([
///     0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4,
/// ]);
/// assert_eq!(
///     linux_filesystem.to_string(),
///     "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first three groups are little-endian numbers.
        const ORDER: [&[usize]; 5] = [
            &[3, 2, 1, 0],
            &[5, 4],
            &[7, 6],
            &[8, 9],
            &[10, 11, 12, 13, 14, 15],
        ];
        for (index, group) in ORDER.iter().enumerate() {
            if index > 0 {
                f.write_str("-")?;
            }
            for byte in *group {
                write!(f, "{:02X}", self.0[*byte])?;
            }
        }
        Ok(())
    }
}
