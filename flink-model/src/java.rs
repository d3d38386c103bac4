//! Reads and writes numbers and white space as Java does. Flink's configuration depends on Java's rules, and
//! heddle must come to the same values.

/// Removes what `String.trim` removes at both ends: every character up to and including the space.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// Reads what `Integer.parseInt` and `Long.parseLong` read: decimal digits with an optional sign. The range
/// is not checked.
pub(crate) fn parse_integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The decimal number in a text that `Double.parseDouble` accepts, in a form that Rust's parser reads, too.
/// Hexadecimal numbers are not supported.
fn decimal_text(text: &str) -> Option<&str> {
    let text = trim(text);
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    if body == "NaN" || body == "Infinity" {
        return Some(text);
    }
    let text = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let well_formed = body.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && body.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    well_formed.then_some(text)
}

/// `Double.parseDouble`, except for hexadecimal numbers.
pub(crate) fn parse_double(text: &str) -> Option<f64> {
    decimal_text(text)?.parse().ok()
}

/// `Float.parseFloat`, except for hexadecimal numbers.
pub(crate) fn parse_float(text: &str) -> Option<f32> {
    decimal_text(text)?.parse().ok()
}

/// The shortest decimal digits that are read back as this finite number, and the power of ten that belongs
/// to them: `value = digits * 10^exponent`.
///
/// Where two candidates of this length are equally near, Java takes the one whose last digit is even, and
/// Rust's own formatting the greater one. Half-way values are common here: a fraction of Flink's
/// configuration is a `float`, which as a `double` has a short exact expansion that often ends in 5.
fn shortest_decimal(value: f64) -> (u64, i32) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let mut exponent = exponent.parse::<i32>().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    exponent -= fraction.len() as i32;
    let digits = whole.bytes().chain(fraction.bytes()).fold(0u64, |n, b| n * 10 + u64::from(b - b'0'));
    (digits, exponent)
}

/// `Double.toString`.
pub(crate) fn double_to_string(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return format!("{sign}Infinity");
    }
    let (digits, exponent) = shortest_decimal(magnitude);
    // Java writes a number as `digits * 10^exponent` with all zeros between these bounds.
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        if exponent >= 0 {
            return format!("{sign}{}.0", digits * 10u64.pow(exponent.unsigned_abs()));
        }
        let decimals = exponent.unsigned_abs() as usize;
        let padded = format!("{digits:0width$}", width = decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        return format!("{sign}{whole}.{fraction}");
    }
    let text = digits.to_string();
    let exponent = exponent + text.len() as i32 - 1;
    let (first, rest) = text.split_at(1);
    let rest = match rest.trim_end_matches('0') {
        "" => "0",
        rest => rest,
    };
    format!("{sign}{first}.{rest}E{exponent}")
}

/// `BigDecimal.valueOf(bytes) * BigDecimal.valueOf(factor)`, rounded down to a whole number, as Flink's
/// `MemorySize.multiply` computes it. It is `None` if the exact product is above the largest `long`. `factor`
/// must be finite and not negative.
pub(crate) fn multiply_exact(bytes: u64, factor: f64) -> Option<u64> {
    const MAX: u128 = i64::MAX as u128;
    let (digits, exponent) = shortest_decimal(factor);
    // At most 2^63 * 10^17, which 128 bits hold.
    let product = u128::from(bytes) * u128::from(digits);
    let (whole, rest) = if exponent >= 0 {
        if product == 0 {
            return Some(0);
        }
        (product.checked_mul(10u128.checked_pow(exponent.unsigned_abs())?)?, 0)
    } else {
        match 10u128.checked_pow(exponent.unsigned_abs()) {
            Some(scale) => (product / scale, product % scale),
            None => (0, product),
        }
    };
    if whole > MAX || (whole == MAX && rest > 0) {
        return None;
    }
    u64::try_from(whole).ok()
}

/// `BigDecimal.valueOf(value).setScale(scale, RoundingMode.DOWN)`. `value` must be finite and not negative.
pub(crate) fn cut(value: f64, scale: u32) -> f64 {
    let (digits, exponent) = shortest_decimal(value);
    let surplus = exponent.unsigned_abs().saturating_sub(scale);
    if exponent >= 0 || surplus == 0 {
        return value;
    }
    let kept = 10u64.checked_pow(surplus).map_or(0, |power| digits / power);
    // The decimal digits are read as a text, because the result has to be the number that Java reads from
    // them.
    format!("{kept}e-{scale}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_java_prints_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (100.0, "100.0"),
            (1e7, "1.0E7"),
            (12345678.9, "1.23456789E7"),
            (0.001, "0.001"),
            (0.00012, "1.2E-4"),
            (-2.5, "-2.5"),
            (f64::INFINITY, "Infinity"),
            (-0.0, "-0.0"),
            (0.0, "0.0"),
            (1e22, "1.0E22"),
            // Half-way between ...812 and ...813.
            (0.512_153_6_f32.into(), "0.5121536254882812"),
        ] {
            assert_eq!(double_to_string(value), text);
        }
    }

    #[test]
    fn numbers_are_read_as_java_reads_them() {
        assert_eq!(parse_float(" 0.1f "), Some(0.1));
        assert_eq!(parse_double("1e3"), Some(1000.0));
        assert_eq!(parse_double(".5"), Some(0.5));
        for bad in ["", "inf", "0,1", "1e", "abc", "0x1p3", "1 2"] {
            assert_eq!(parse_double(bad), None, "{bad}");
        }
        assert_eq!(parse_integer("+12"), Some(12));
        assert_eq!(parse_integer(" 12"), None);
        assert_eq!(parse_integer("1_000"), None);
    }

    #[test]
    fn decimals_are_cut_off() {
        for (value, result) in [
            (8.708561e-5, 0.00008708),
            (2.000000001, 2.0),
            (1e-9, 0.0),
            (2.999999999, 2.99999999),
            (1.5, 1.5),
            (1e300, 1e300),
            (1e-300, 0.0),
        ] {
            assert_eq!(cut(value, 8), result);
        }
    }

    #[test]
    fn products_are_exact_and_overflow_is_seen() {
        assert_eq!(multiply_exact(1 << 30, 0.1f32.into()), Some(107_374_184));
        assert_eq!(multiply_exact(10, 0.29), Some(2));
        assert_eq!(multiply_exact(i64::MAX as u64, 1.0), Some(i64::MAX as u64));
        assert_eq!(multiply_exact(i64::MAX as u64, 1.1), None);
        assert_eq!(multiply_exact(i64::MAX as u64, 1e-300), Some(0));
        assert_eq!(multiply_exact(0, 1e300), Some(0));
        // Flink multiplies by 0.5121536254882812, which is below the exact value of the float.
        assert_eq!(multiply_exact(656 << 20, 0.512_153_6_f32.into()), Some(352_292_991));
    }
}
