//! Numbers in words fit for reading.

/// A number to four significant digits: plain where that stays short, with a power of ten elsewhere.
pub fn short(number: f64) -> String {
    if !number.is_finite() {
        return match number {
            f64::INFINITY => "∞".into(),
            f64::NEG_INFINITY => "−∞".into(),
            _ => "not a number".into(),
        };
    }
    let size = number.abs();
    let text = if size == 0.0 {
        "0".into()
    } else if size.fract() == 0.0 && size < 1e7 {
        format!("{size}")
    } else if (1e-3..1e6).contains(&size) {
        let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
        trim(format!("{size:.decimals$}"))
    } else {
        let text = format!("{size:.3e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let power = superscript(exponent);
        match trim(mantissa.to_owned()).as_str() {
            "1" => format!("10{power}"),
            mantissa => format!("{mantissa}·10{power}"),
        }
    };
    if number < 0.0 { format!("−{text}") } else { text }
}

/// Digits and signs raised.
pub(super) fn superscript(exponent: &str) -> String {
    exponent
        .chars()
        .map(|c| match c.to_digit(10) {
            Some(digit) => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize],
            None => '⁻',
        })
        .collect()
}

fn trim(decimal: String) -> String {
    if decimal.contains('.') {
        decimal.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        decimal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (12.0, "12"),
            (1_797_000.0, "1797000"),
            (0.5, "0.5"),
            (-0.123_456, "−0.1235"),
            (0.999_96, "1"),
            (123.456_7, "123.5"),
            (54_321.6, "54322"),
            (1e-8, "10⁻⁸"),
            (-2.5e-12, "−2.5·10⁻¹²"),
            (6.022e23, "6.022·10²³"),
            (f64::NAN, "not a number"),
        ] {
            assert_eq!(short(number), text);
        }
    }
}
