//! What holds of any input whatsoever: nothing panics, what is accepted keeps the promises that
//! callers build on, and an error is one short line.
//!
//! The fuzz targets include this file.

use std::io::{Cursor, Read};

use manifest_gen::elf::{Error, Executable, LoadPlan};
use manifest_gen::{DeviceType, JsonError, JsonProblem, Manifest, abi_to_json, manifest_to_json};
use solo5_abi::elf::{MIN_ADDRESS, PAGE_SIZE};
use solo5_abi::manifest::{MAX_DEVICES, Manifest as AbiManifest, check_name};

/// Bytes of memory that executables are planned into.
const MEM_SIZE: u64 = 16 << 20;

/// Which parts of an executable were accepted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Accepted {
    /// Header and program headers.
    pub(crate) headers: bool,
    /// The load plan.
    pub(crate) plan: bool,
    /// The ABI note.
    pub(crate) abi: bool,
    /// The manifest.
    pub(crate) manifest: bool,
}

/// Reads `file` as an executable, in every way there is.
pub(crate) fn check_executable(file: &[u8]) -> Accepted {
    let mut accepted = Accepted::default();
    let Some(mut executable) = taken(Executable::open(Cursor::new(file))) else {
        return accepted;
    };
    accepted.headers = true;
    if let Some(plan) = taken(executable.load_plan(MEM_SIZE)) {
        check_plan(&mut executable, &plan);
        accepted.plan = true;
    }
    if let Some(abi) = taken(executable.abi()) {
        assert!(abi_to_json(&abi).starts_with("{\n  \"type\": \"solo5.abi\",\n"));
        accepted.abi = true;
    }
    if let Some(bytes) = taken(executable.manifest_bytes()) {
        check_manifest(&bytes);
        accepted.manifest = true;
    }
    accepted
}

/// The value; an error is checked and dropped.
fn taken<T>(result: Result<T, Error>) -> Option<T> {
    result
        .map_err(|error| check_message(&error.to_string()))
        .ok()
}

fn check_message(message: &str) {
    assert!(message.chars().count() < 300, "{message}");
    assert!(!message.chars().any(char::is_control), "{message:?}");
}

fn check_plan(executable: &mut Executable<Cursor<&[u8]>>, plan: &LoadPlan) {
    assert!((MIN_ADDRESS..MEM_SIZE).contains(&plan.entry));
    let mut free_from = MIN_ADDRESS;
    for segment in &plan.segments {
        assert!(segment.start >= free_from && segment.start <= segment.vaddr);
        assert!(segment.filesz >= 1 && segment.filesz <= segment.memsz);
        assert!(segment.vaddr + segment.memsz <= segment.end && segment.end <= MEM_SIZE);
        assert!(segment.start.is_multiple_of(PAGE_SIZE) && segment.end.is_multiple_of(PAGE_SIZE));
        assert!(!(segment.is_writable() && segment.is_executable()));
        free_from = segment.end;
        let mut content = Vec::new();
        let mut reader = executable.read_segment(segment).unwrap();
        reader.read_to_end(&mut content).unwrap();
        assert_eq!(content.len() as u64, segment.filesz);
    }
    let last = plan.segments.last();
    assert_eq!(plan.kernel_end, last.map_or(0, |segment| segment.end));
}

fn check_manifest(bytes: &[u8]) {
    let manifest = AbiManifest::parse(bytes).unwrap();
    for (handle, entry) in manifest.devices() {
        assert!((1..=MAX_DEVICES).contains(&handle));
        assert!(!entry.is_attached());
    }
    // What is printed is JSON, though the devices need not be acceptable.
    let json = manifest_to_json(&manifest);
    match (
        Manifest::from_bytes(bytes),
        Manifest::from_json(json.as_bytes()),
    ) {
        (Ok(manifest), Ok(read)) => {
            assert_eq!(manifest, read);
            check_model(&manifest);
        }
        (Err(error), Err(read)) => {
            check_message(&error.to_string());
            assert!(
                matches!(
                    read.problem,
                    JsonProblem::Device(_) | JsonProblem::DeviceType(_)
                ),
                "{read}"
            );
        }
        (model, read) => panic!("{model:?} from the note, {read:?} from its JSON"),
    }
}

/// Reads `source` as a manifest's JSON; tells whether it was accepted.
pub(crate) fn check_source(source: &[u8]) -> bool {
    match Manifest::from_json(source) {
        Ok(manifest) => {
            check_model(&manifest);
            true
        }
        Err(error) => {
            check_json_error(source, &error);
            false
        }
    }
}

fn check_json_error(source: &[u8], error: &JsonError) {
    check_message(&error.to_string());
    let lines = 1 + source.iter().filter(|&&byte| byte == b'\n').count();
    assert!((1..=lines).contains(&error.line), "{error}");
}

/// A manifest survives each of its forms.
fn check_model(manifest: &Manifest) {
    assert!(manifest.devices().len() <= MAX_DEVICES);
    for device in manifest.devices() {
        check_name(device.name()).unwrap();
        let device_type = device.device_type();
        assert_eq!(
            DeviceType::from_name(device_type.as_str()),
            Some(device_type)
        );
    }
    assert_eq!(
        &Manifest::from_json(manifest.to_json().as_bytes()).unwrap(),
        manifest
    );
    assert_eq!(&Manifest::from_note(&manifest.to_note()).unwrap(), manifest);
    let elements = manifest.to_c().matches(".name = ").count();
    assert_eq!(elements, manifest.devices().len() + 1);
}
