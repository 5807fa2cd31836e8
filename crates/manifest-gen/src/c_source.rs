use std::fmt::Write;

use crate::Manifest;

impl Manifest {
    /// A C source file that, compiled with Solo5's toolchain, becomes the manifest's note.
    ///
    /// It needs `mft_abi.h` on the include path.
    pub fn to_c(&self) -> String {
        let entries = self.devices().len() + 1;
        let mut source = format!(
            "/* Written by solo5-elftool {version} from a manifest's JSON; edit that instead. */\n\
             \n\
             #define MFT_ENTRIES {entries}\n\
             #include \"mft_abi.h\"\n\
             \n\
             MFT1_NOTE_DECLARE_BEGIN\n\
             {{\n\
             \x20   .version = MFT_VERSION,\n\
             \x20   .entries = {entries},\n\
             \x20   .e = {{\n\
             \x20       {{ .name = \"\", .type = MFT_RESERVED_FIRST }},\n",
            version = env!("CARGO_PKG_VERSION"),
        );
        for device in self.devices() {
            // Nothing to escape: names are letters and digits. Writing to a String cannot fail.
            let _ = writeln!(
                source,
                "        {{ .name = \"{}\", .type = MFT_DEV_{} }},",
                device.name(),
                device.device_type(),
            );
        }
        source.push_str("    },\n}\nMFT1_NOTE_DECLARE_END\n");
        source
    }
}
