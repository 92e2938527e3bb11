//! The order of keys: numbers by their value, everything else before letters (go-yaml v2, `sorter.go`).

use std::cmp::Ordering;

/// Compares two keys.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => return a[at].cmp(&b[at]),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Digits in front that are the same make leading zeros count.
    let zero = a[at] == '0' || b[at] == '0';
    let inside =
        zero && a[..at].iter().rev().take_while(|char| char.is_ascii_digit()).any(|digit| *digit != '0');
    let number = |chars: &[char]| {
        let digits = chars[at..].iter().take_while(|char| char.is_ascii_digit());
        digits.fold((u64::from(inside), 0_usize), |(number, count), digit| {
            let digit = u64::from(digit.to_digit(10).unwrap_or_default());
            (number.wrapping_mul(10).wrapping_add(digit), count + 1)
        })
    };
    let (left, right) = (number(&a), number(&b));
    left.cmp(&right).then_with(|| a[at].cmp(&b[at]))
}
