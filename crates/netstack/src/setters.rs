//! Setters that can be chained, written once for all settings.

/// Writes a setter by the name of each field; those of `some` wrap what they are given.
macro_rules! setters {
    ($($name:ident: $type:ty,)* $(; $(some $option:ident: $inner:ty,)*)?) => {
        $(
            #[doc = concat!("Sets [`", stringify!($name), "`](#structfield.", stringify!($name), ").")]
            #[must_use]
            pub fn $name(mut self, $name: $type) -> Self {
                self.$name = $name;
                self
            }
        )*
        $($(
            #[doc = concat!("Sets [`", stringify!($option), "`](#structfield.", stringify!($option), ").")]
            #[must_use]
            pub fn $option(mut self, $option: $inner) -> Self {
                self.$option = Some($option);
                self
            }
        )*)?
    };
}
