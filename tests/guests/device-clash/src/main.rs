//! Declares `disk`, which is a library's block device, as a network device, and `spare`, which is another one of its
//! devices, with offload.

fn main() {
    println!("{:?}", device_names::disk::<u8>());
    #[cfg(any(solo5 = "hvt", solo5 = "spt"))]
    println!("{:?}", solo5_ffi::net!("disk"));
    println!("{:?}", device_names::spare());
    #[cfg(any(solo5 = "hvt", solo5 = "spt"))]
    println!("{:?}", solo5_ffi::net!("spare", offload));
}
