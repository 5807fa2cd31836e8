use std::fs;

use crate::image::{Image, read_json};

#[test]
fn an_image_made_twice_is_the_same_and_says_what_urunc_asks_for() {
    let arguments = ["--", "--port=80", "two words"];
    let image = Image::make(&arguments);
    image.make_again("again", &arguments);
    let index = |name: &str| fs::read(image.path(name).join("index.json")).unwrap();
    assert_eq!(index("layout"), index("again"));

    let configuration = image.configuration();
    assert_eq!(configuration["created"], "2023-11-14T22:13:20Z");
    assert_eq!(configuration["config"]["Entrypoint"], serde_json::json!([]));
    let words = serde_json::json!(["--port=80", "'two words'"]);
    assert_eq!(configuration["config"]["Cmd"], words);
    let root = image.unpack();
    let urunc = read_json(&root.join("urunc.json"));
    // "mirage", "spt", "/unikernel" and "service".
    for (name, value) in [
        ("unikernelType", "bWlyYWdl"),
        ("hypervisor", "c3B0"),
        ("binary", "L3VuaWtlcm5lbA=="),
        ("solo5NetDev", "c2VydmljZQ=="),
    ] {
        assert_eq!(urunc[format!("com.urunc.unikernel.{name}")], value);
    }
    let names = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["unikernel", "urunc.json"]);
}
