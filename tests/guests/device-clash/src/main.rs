//! Declares `disk`, which is a library's block device, as a network device.

fn main() {
    println!("{:?}", device_names::disk::<u8>());
    #[cfg(any(solo5 = "hvt", solo5 = "spt"))]
    println!("{:?}", solo5_ffi::net!("disk"));
}
