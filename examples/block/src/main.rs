//! Prints the first sector of the block device `disk` as a hex dump.
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let disk = mkernel::block!("disk")?;
    let mut sector = vec![0; disk.block_size()];
    disk.read(0, &mut sector)?;
    for (line, bytes) in sector.chunks(16).enumerate() {
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = bytes.iter().map(|&byte| printable(byte)).collect();
        println!("{:08x}  {}  |{text}|", line * 16, hex.join(" "));
    }
    Ok(())
}

fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' {
        byte.into()
    } else {
        '.'
    }
}
