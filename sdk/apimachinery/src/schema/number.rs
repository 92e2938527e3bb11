//! Numbers: ranges of types and formats, boundaries, multiples (`kube-openapi/pkg/validation/validate/values.go`).

use super::{Checks, Schema, Type};
use crate::Value;
use std::cmp::Ordering;

/// A number as Go's decoder would have it: whole ones without fraction or exponent are integers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    /// 64 bits.
    Int(i64),
    /// Anything else.
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        let number = value.as_number()?;
        Some(match number.as_i64() {
            Some(whole) => Number::Int(whole),
            None => Number::Float(number.as_f64()?),
        })
    }

    pub(super) fn as_f64(self) -> f64 {
        match self {
            Number::Int(whole) => whole as f64,
            Number::Float(float) => float,
        }
    }

    fn value(self) -> Value {
        match self {
            Number::Int(whole) => whole.into(),
            Number::Float(float) => float.into(),
        }
    }
}

/// What a check of a number found.
pub(super) enum Fault {
    /// An error without a place, upstream's plain `error`.
    Plain(String),
    /// An error at the value; the text follows the path and ` in body `.
    At(Value, String),
    /// An error at the value whose text stands for itself.
    Own(Value, String),
}

/// Whether a float is a whole number within what JSON can tell exactly (`swag.IsFloat64AJSONInteger`).
pub(super) fn is_whole(float: f64) -> bool {
    const MAX: f64 = 9_007_199_254_740_991.0;
    if !float.is_finite() || !(-MAX..=MAX).contains(&float) {
        return false;
    }
    let truncated = float.trunc();
    let difference = (float - truncated).abs();
    if float == truncated {
        return true;
    }
    if float == 0.0 || truncated == 0.0 || difference < f64::MIN_POSITIVE {
        return difference < 1e-9 * f64::MIN_POSITIVE;
    }
    difference / (float.abs() + truncated.abs()).min(f64::MAX) < 1e-9
}

/// As Go prints a float64 with `%v`.
pub(super) fn go_float(float: f64) -> String {
    if float != 0.0 && (float.abs() >= 1e21 || float.abs() < 1e-4) {
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{float}")
}

fn in_range(number: Number, schema: &Schema, format: Option<&str>) -> bool {
    match schema.type_ {
        Some(Type::Integer) if !schema.int_or_string => {
            let whole = match number {
                Number::Int(whole) => whole,
                Number::Float(float) if float.trunc() == float && float.abs() < 9.223_372_036_854_776e18 => {
                    float as i64
                }
                Number::Float(_) => return false,
            };
            format != Some("int32") || i32::try_from(whole).is_ok()
        }
        _ => format != Some("float") || number.as_f64().abs() <= f64::from(f32::MAX),
    }
}

fn range_fault(prefix: &str, schema: &Schema, format: Option<&str>, path: &str) -> Fault {
    let type_ = if schema.int_or_string { "" } else { schema.type_.map_or("", Type::as_str) };
    Fault::Plain(match format {
        Some(format) => format!("{prefix} value must be of type {type_} with format {format} in {path}"),
        None => format!("{prefix} value must be of type {type_} (default format) in {path}"),
    })
}

/// All that is wrong with a number, in upstream's order.
pub(super) fn check(schema: &Schema, number: Number, path: &dyn Fn() -> String) -> Vec<Fault> {
    let checks: Option<&Checks> = schema.checks.as_deref();
    let format = checks.and_then(|checks| checks.format.as_deref());
    let mut faults = Vec::new();
    if !in_range(number, schema, format) {
        faults.push(range_fault("Checked", schema, format, &path()));
    }
    let Some(checks) = checks else { return faults };
    // Boundaries that the type cannot hold are told, and compared all the same.
    if let Some(factor) = checks.multiple_of {
        let fits = bound_fits(factor, "MultipleOf", schema, format, path, &mut faults);
        multiple(number, factor, fits, path, &mut faults);
    }
    // The minimum is told before the maximum.
    for (limit, exclusive, prefix, lower) in [
        (checks.minimum, checks.exclusive_minimum, "Minimum boundary", true),
        (checks.maximum, checks.exclusive_maximum, "Maximum boundary", false),
    ] {
        let Some(limit) = limit else { continue };
        let fits = bound_fits(limit, prefix, schema, format, path, &mut faults);
        let (order, shown) = match number {
            Number::Int(whole) if fits => {
                // As upstream converts: fractions are cut.
                let limit = limit as i64;
                (Some(whole.cmp(&limit)), limit.to_string())
            }
            _ => (number.as_f64().partial_cmp(&limit), go_float(limit)),
        };
        let bad = match order {
            Some(Ordering::Less) => lower,
            Some(Ordering::Greater) => !lower,
            Some(Ordering::Equal) => exclusive,
            None => false,
        };
        if bad {
            let words = match (lower, exclusive) {
                (true, false) => "greater than or equal to",
                (true, true) => "greater than",
                (false, false) => "less than or equal to",
                (false, true) => "less than",
            };
            faults.push(Fault::At(number.value(), format!("should be {words} {shown}")));
        }
    }
    faults
}

fn bound_fits(
    bound: f64,
    prefix: &str,
    schema: &Schema,
    format: Option<&str>,
    path: &dyn Fn() -> String,
    faults: &mut Vec<Fault>,
) -> bool {
    let fits = in_range(Number::Float(bound), schema, format);
    if !fits {
        faults.push(range_fault(prefix, schema, format, &path()));
    }
    fits
}

fn multiple(number: Number, factor: f64, fits: bool, path: &dyn Fn() -> String, faults: &mut Vec<Fault>) {
    let (good, shown) = match number {
        Number::Int(whole) if fits => {
            // As upstream converts: of a factor below one nothing is left, which is then told.
            let factor = factor as i64;
            if factor <= 0 {
                let text = format!("factor MultipleOf declared for {} must be positive: {factor}", path());
                return faults.push(Fault::Own(factor.into(), text));
            }
            (whole % factor == 0, factor.to_string())
        }
        _ => {
            let data = number.as_f64();
            let quotient = if factor < 1.0 { 1.0 / factor * data } else { data / factor };
            (is_whole(quotient), go_float(factor))
        }
    };
    if factor < 0.0 {
        let text = format!("factor MultipleOf declared for {} must be positive: {shown}", path());
        faults.push(Fault::Own(factor.into(), text));
    } else if !good {
        faults.push(Fault::At(number.value(), format!("should be a multiple of {shown}")));
    }
}
