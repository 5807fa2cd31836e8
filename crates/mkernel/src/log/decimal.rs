//! Floating-point numbers in lines.

use std::fmt;

/// A number with six digits behind the point, or as many of them as are not zero; with an exponent where it is large or
/// small.
///
/// The standard library's way of writing such numbers, which finds the fewest digits that name each of them, takes
/// 20 KiB: they would be in the image of every program that logs, whether it has such numbers or not.
pub(super) struct Decimal(pub(super) f64);

/// 10 to the power of six.
const MILLION: f64 = 1e6;

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            return f.write_str("NaN");
        }
        let sign = if self.0.is_sign_negative() { "-" } else { "" };
        let mut size = self.0.abs();
        if size.is_infinite() {
            return write!(f, "{sign}inf");
        }
        let mut exponent = 0;
        if size >= 1e9 || (size < 1e-3 && size > 0.0) {
            while size >= 10.0 {
                size /= 10.0;
                exponent += 1;
            }
            while size < 1.0 {
                size *= 10.0;
                exponent -= 1;
            }
        }
        // Below 10^15: exact as an integer.
        let millionths = (size * MILLION).round() as u64;
        let (whole, mut rest) = (millionths / 1_000_000, millionths % 1_000_000);
        let mut digits = 6;
        while digits > 1 && rest % 10 == 0 {
            rest /= 10;
            digits -= 1;
        }
        write!(f, "{sign}{whole}.{rest:0digits$}")?;
        match exponent {
            0 => Ok(()),
            _ => write!(f, "e{exponent}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn numbers_are_rounded_to_six_digits_behind_the_point() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (2.5, "2.5"),
            (-0.1, "-0.1"),
            (0.1 + 0.2, "0.3"),
            (1_234.000_001, "1234.000001"),
            (0.999_999_9, "1.0"),
            (999_999_999.5, "999999999.5"),
            (1e9, "1.0e9"),
            (-1.234_567_89e-7, "-1.234568e-7"),
            (f64::MIN_POSITIVE, "2.225074e-308"),
            (f64::MAX, "1.797693e308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(Decimal(number).to_string(), text);
        }
    }
}
