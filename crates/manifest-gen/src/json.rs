//! A manifest's JSON source, read so that an error can say on which line it is.

use jsonc_parser::ast::{Array, Object, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use solo5_abi::manifest::{MAX_DEVICES, VERSION};

use crate::{DeviceError, DeviceType, Manifest};

mod error;

pub use error::{JsonError, JsonProblem, JsonType};

/// Bytes of the longest source that is read: many times what 63 devices need.
pub const SOURCE_MAX: usize = 1 << 20;

const MANIFEST_TYPE: &str = "solo5.manifest";

const ROOT: &str = "(root)";
const DEVICES: &str = ".devices[]";
const DEVICE: &str = ".devices[...]";

impl Manifest {
    /// Reads JSON of type `solo5.manifest`, version 1.
    ///
    /// As Solo5's own tool does, this takes a comma behind the last member of an object or array.
    /// Otherwise it is strict: no key twice, none missing, none unknown.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with the line it is on.
    pub fn from_json(source: &[u8]) -> Result<Self, JsonError> {
        if source.len() > SOURCE_MAX {
            let problem = JsonProblem::TooLong {
                found: source.len(),
            };
            return Err(JsonError::new(1, None, problem));
        }
        let text = str::from_utf8(source).map_err(|error| {
            let line = line_at(source, error.valid_up_to());
            JsonError::new(line, None, JsonProblem::NotUtf8)
        })?;
        let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| {
            let problem = JsonProblem::Syntax(error.kind().to_string());
            // Not the parser's own count of lines, in which a lone carriage return ends one.
            let line = line_at(source, error.range().start);
            JsonError::new(line, None, problem)
        })?;
        let Some(root) = parsed.value else {
            return Err(JsonError::new(1, None, JsonProblem::NoValue));
        };
        Reader { text }.manifest(&root)
    }
}

/// JSON as RFC 8259 has it, but for commas behind the last member.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Number of the line that the byte at `offset` is on, from 1.
fn line_at(source: &[u8], offset: usize) -> usize {
    let before = source.get(..offset).unwrap_or(source);
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

/// Walks the parsed source; it keeps the text to find lines.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn error(&self, range: Range, location: &'static str, problem: JsonProblem) -> JsonError {
        let line = line_at(self.text.as_bytes(), range.start);
        JsonError::new(line, Some(location), problem)
    }

    fn wrong_type(
        &self,
        value: &Value<'_>,
        location: &'static str,
        expected: JsonType,
    ) -> JsonError {
        let found = JsonType::of(value);
        self.error(
            value.range(),
            location,
            JsonProblem::WrongType { expected, found },
        )
    }

    fn manifest(&self, root: &Value<'_>) -> Result<Manifest, JsonError> {
        let object = self.object(root, ROOT)?;
        let [manifest_type, version, devices] =
            self.members(object, ROOT, ["type", "version", "devices"])?;
        let found = self.string(manifest_type, ".type")?;
        if found != MANIFEST_TYPE {
            let problem = JsonProblem::ManifestType(found.to_owned());
            return Err(self.error(manifest_type.range(), ".type", problem));
        }
        self.version(version)?;
        let Value::Array(devices) = devices else {
            return Err(self.wrong_type(devices, ".devices", JsonType::Array));
        };
        self.devices(devices)
    }

    fn version(&self, value: &Value<'_>) -> Result<(), JsonError> {
        let expected = JsonType::Integer;
        let Value::NumberLit(number) = value else {
            return Err(self.wrong_type(value, ".version", expected));
        };
        if JsonType::of(value) != expected {
            return Err(self.wrong_type(value, ".version", expected));
        }
        if number.value.parse() != Ok(VERSION) {
            // More digits than these would not make the message clearer.
            let version = number.value.chars().take(32).collect();
            let problem = JsonProblem::Version(version);
            return Err(self.error(number.range, ".version", problem));
        }
        Ok(())
    }

    fn devices(&self, devices: &Array<'_>) -> Result<Manifest, JsonError> {
        let found = devices.elements.len();
        if found > MAX_DEVICES {
            let problem = JsonProblem::Device(DeviceError::TooMany);
            return Err(self.error(devices.range, DEVICES, problem));
        }
        let mut manifest = Manifest::new();
        for device in &devices.elements {
            self.device(&mut manifest, device)?;
        }
        Ok(manifest)
    }

    fn device(&self, manifest: &mut Manifest, value: &Value<'_>) -> Result<(), JsonError> {
        let object = self.object(value, DEVICES)?;
        let [name_value, type_value] = self.members(object, DEVICE, ["name", "type"])?;
        let name = self.string(name_value, DEVICE)?;
        let found = self.string(type_value, DEVICE)?;
        let Some(device_type) = DeviceType::from_name(found) else {
            let problem = JsonProblem::DeviceType(found.to_owned());
            return Err(self.error(type_value.range(), DEVICE, problem));
        };
        manifest
            .push(name, device_type)
            .map_err(|problem| self.error(name_value.range(), DEVICE, JsonProblem::Device(problem)))
    }

    fn object<'v, 't>(
        &self,
        value: &'v Value<'t>,
        location: &'static str,
    ) -> Result<&'v Object<'t>, JsonError> {
        value
            .as_object()
            .ok_or_else(|| self.wrong_type(value, location, JsonType::Object))
    }

    fn string<'v>(
        &self,
        value: &'v Value<'_>,
        location: &'static str,
    ) -> Result<&'v str, JsonError> {
        match value {
            Value::StringLit(string) => Ok(&string.value),
            _ => Err(self.wrong_type(value, location, JsonType::String)),
        }
    }

    /// The values of exactly these keys, in this order.
    fn members<'v, 't, const N: usize>(
        &self,
        object: &'v Object<'t>,
        location: &'static str,
        keys: [&'static str; N],
    ) -> Result<[&'v Value<'t>; N], JsonError> {
        let mut values = [None; N];
        for property in &object.properties {
            let name = property.name.as_str();
            let Some(index) = keys.iter().position(|&key| key == name) else {
                let problem = JsonProblem::UnknownKey(name.to_owned());
                return Err(self.error(property.range, location, problem));
            };
            if values[index].replace(&property.value).is_some() {
                let problem = JsonProblem::RepeatedKey(keys[index]);
                return Err(self.error(property.range, location, problem));
            }
        }
        let mut found = Vec::with_capacity(N);
        for (key, value) in keys.into_iter().zip(values) {
            let missing = || self.error(object.range, location, JsonProblem::MissingKey(key));
            found.push(value.ok_or_else(missing)?);
        }
        Ok(std::array::from_fn(|index| found[index]))
    }
}
