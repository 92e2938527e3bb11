//! Amounts, as validation compares them: a [`Quantity`] out of JSON.

use chainplate_apimachinery::Value;
use chainplate_apimachinery::quantity::Quantity;

/// A quantity in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Amount(Quantity);

impl Amount {
    /// The amount of a quantity in JSON, if it is one.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// Parses a quantity; none for what is no quantity.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Quantity::parse(text).ok().map(Self)
    }

    pub(super) fn is_negative(self) -> bool {
        self.0 < Quantity::ZERO
    }

    pub(super) fn is_positive(self) -> bool {
        self.0 > Quantity::ZERO
    }

    pub(super) fn is_whole(self) -> bool {
        self.0.milli_value() % 1000 == 0
    }

    /// Whether this is so many times another, whole amount.
    pub(super) fn is_multiple_of(self, other: Self) -> bool {
        other.0.value() != 0 && self.is_whole() && self.0.value() % other.0.value() == 0
    }

    /// The next whole number.
    pub(super) fn rounded_up(self) -> i64 {
        self.0.value()
    }

    /// The ratio of two amounts.
    #[expect(clippy::cast_precision_loss, reason = "upstream compares ratios as floating point numbers")]
    pub(super) fn ratio(self, other: Self) -> f64 {
        self.0.milli_value() as f64 / other.0.milli_value() as f64
    }
}
