//! Compression and pictures.

use std::io::{Cursor, Read as _, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    rows::run(&[
        ("flate2", flate2),
        ("brotli", brotli),
        ("zstd", zstd),
        ("image", image),
    ])
}

/// Text that can be compressed.
fn text() -> Vec<u8> {
    (0..10_000)
        .flat_map(|number| format!("line {number}\n").into_bytes())
        .collect()
}

fn flate2() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&text()).unwrap();
    let compressed = encoder.finish().unwrap();
    assert!(compressed.len() < text().len() / 3);
    let mut plain = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(compressed.as_slice());
    decoder.read_to_end(&mut plain).unwrap();
    assert!(plain == text());
    let mut broken = compressed;
    let middle = broken.len() / 2;
    broken[middle] ^= 0xff;
    let mut decoder = flate2::read::GzDecoder::new(broken.as_slice());
    assert!(decoder.read_to_end(&mut Vec::new()).is_err());
}

fn brotli() {
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 5,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut text().as_slice(), &mut compressed, &parameters).unwrap();
    assert!(compressed.len() < text().len() / 3);
    let mut plain = Vec::new();
    brotli::BrotliDecompress(&mut compressed.as_slice(), &mut plain).unwrap();
    assert!(plain == text());
}

fn zstd() {
    let compressed = zstd::encode_all(text().as_slice(), 3).unwrap();
    assert!(compressed.len() < text().len() / 3);
    assert!(zstd::decode_all(compressed.as_slice()).unwrap() == text());
    assert!(zstd::decode_all(&compressed[1..]).is_err());
}

fn image() {
    let picture =
        image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8 * 4, y as u8 * 5, 128]));
    for format in [image::ImageFormat::Png, image::ImageFormat::Jpeg] {
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, format).unwrap();
        let bytes = file.into_inner();
        assert_eq!(image::guess_format(&bytes).unwrap(), format);
        let again = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(again.dimensions(), (64, 48));
        // JPEG loses a little.
        let apart = |(one, other): (&u8, &u8)| one.abs_diff(*other);
        let most = picture.iter().zip(again.iter()).map(apart).max();
        assert!(
            most <= Some(if format == image::ImageFormat::Png {
                0
            } else {
                40
            })
        );
    }
    let small = image::imageops::resize(&picture, 8, 6, image::imageops::FilterType::Triangle);
    assert_eq!(small.dimensions(), (8, 6));
}
