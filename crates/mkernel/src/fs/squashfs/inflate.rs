use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::super::ErrorKind;

/// Decompresses into `output`, of which there must be enough; returns how many octets came out.
pub(super) fn inflate(
    decompressor: &mut DecompressorOxide,
    input: &[u8],
    output: &mut [u8],
) -> Result<usize, ErrorKind> {
    decompressor.init();
    let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, _, written) = decompress(decompressor, input, output, 0, flags);
    match status {
        TINFLStatus::Done => Ok(written),
        _ => Err(ErrorKind::Damaged(format!(
            "{} octets that do not decompress into {} at most",
            input.len(),
            output.len()
        ))),
    }
}
