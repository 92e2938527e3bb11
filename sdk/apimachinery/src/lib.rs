//! chainplate-apimachinery.
