//! How the crate's structures are declared: each field with its offset, each structure with its
//! size, all of it checked when the crate is compiled.

/// A type that may be a field: fixed size, little-endian, any bit pattern allowed.
pub(crate) trait Field: Sized {
    /// Writes the value to `bytes`, which is as long as the field.
    fn put(&self, bytes: &mut [u8]);
    /// Reads the value from `bytes`, which is as long as the field.
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! integer_field {
    ($($ty:ty),*) => {$(
        impl Field for $ty {
            fn put(&self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
            fn get(bytes: &[u8]) -> Self {
                let mut raw = [0; size_of::<$ty>()];
                raw.copy_from_slice(bytes);
                <$ty>::from_le_bytes(raw)
            }
        }
    )*};
}
integer_field!(u8, u16, u32, u64, i32);

impl<const N: usize> Field for [u8; N] {
    fn put(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(self);
    }
    fn get(bytes: &[u8]) -> Self {
        let mut raw = [0; N];
        raw.copy_from_slice(bytes);
        raw
    }
}

/// Declares a `#[repr(C)]` structure whose size and field offsets are those written down, or the
/// crate does not compile.
macro_rules! layout {
    (
        $(#[$attribute:meta])*
        pub struct $name:ident, size $size:literal {
            $( $(#[$field_attribute:meta])* $offset:literal => $visibility:vis $field:ident: $ty:ty, )*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(C)]
        pub struct $name {
            $( $(#[$field_attribute])* $visibility $field: $ty, )*
        }

        const _: () = {
            assert!(size_of::<$name>() == $size);
            $( assert!(core::mem::offset_of!($name, $field) == $offset); )*
        };

        impl $name {
            /// Bytes that the structure takes.
            pub const SIZE: usize = $size;

            /// The structure as it lies in memory, padding zeroed.
            pub fn to_bytes(&self) -> [u8; $size] {
                let mut bytes = [0; $size];
                $( crate::layout::Field::put(
                    &self.$field,
                    &mut bytes[$offset..$offset + size_of::<$ty>()],
                ); )*
                bytes
            }

            /// The structure read from memory; padding is ignored.
            pub fn from_bytes(bytes: &[u8; $size]) -> Self {
                Self {
                    $( $field: crate::layout::Field::get(
                        &bytes[$offset..$offset + size_of::<$ty>()],
                    ), )*
                }
            }
        }
    };
}
pub(crate) use layout;
