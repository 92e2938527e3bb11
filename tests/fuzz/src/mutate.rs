//! Mutations of bytes, and of the structure where an input, or its last part, is JSON.

use crate::Rng;
use chainplate_apimachinery::Value;
use serde_json::json;

/// Longer inputs are cut: what grows with the square of its input shows at this length.
const LONGEST: usize = 64 << 10;

/// Parts of inputs stand behind each other, parted by this byte.
pub(crate) const PART: u8 = 0;

/// A mutation of one of the seeds.
pub(crate) fn mutated(seeds: &[Vec<u8>], words: &[&str], rng: &mut Rng) -> Vec<u8> {
    let mut input = rng.pick(seeds).cloned().unwrap_or_default();
    for _ in 0..=rng.below(4) {
        if rng.one_in(2) {
            restructure(&mut input, words, rng);
        } else {
            scramble(&mut input, seeds, words, rng);
        }
    }
    input.truncate(LONGEST);
    input
}

/// A place in `bytes` or right behind them.
fn place(bytes: &[u8], rng: &mut Rng) -> usize {
    rng.below(bytes.len() + 1)
}

/// Two places, in order.
fn range(bytes: &[u8], rng: &mut Rng) -> (usize, usize) {
    let (a, b) = (place(bytes, rng), place(bytes, rng));
    // Mostly short ones.
    let end = if rng.one_in(4) { a.max(b) } else { (a.min(b) + rng.below(16)).min(bytes.len()) };
    (a.min(b), end)
}

fn scramble(input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str], rng: &mut Rng) {
    const ODD: [u8; 16] =
        [0, 1, 9, 10, 13, 0x7f, 0x80, 0xc0, 0xff, b'"', b'\\', b'{', b'[', b',', b'%', b'-'];
    let at = place(input, rng);
    let (start, end) = range(input, rng);
    match rng.below(9) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        1 => {
            if let (Some(byte), Some(odd)) = (input.get_mut(at), rng.pick(&ODD)) {
                *byte = *odd;
            }
        }
        2 => input.insert(at, rng.number() as u8),
        3 => drop(input.drain(start..end)),
        4 => input.truncate(at),
        5 => {
            let copy = input[start..end].to_vec();
            input.splice(at..at, copy);
        }
        6 => {
            let word = rng.pick(words).map_or("", |word| *word);
            input.splice(start..end, word.bytes());
        }
        7 => {
            // Many times the same: lists, nesting and aliases grow by it.
            let copy = input[start..end].to_vec();
            let times = (LONGEST / (copy.len() + 1)).min(1 << rng.below(15));
            input.splice(at..at, copy.repeat(times));
        }
        _ => {
            let other = rng.pick(seeds).cloned().unwrap_or_default();
            let (from, to) = range(&other, rng);
            input.splice(start..end, other[from..to].iter().copied());
        }
    }
    input.truncate(LONGEST);
}

/// Changes a value somewhere in the JSON that a part of the input, or what stands behind its empty line, is.
fn restructure(input: &mut Vec<u8>, words: &[&str], rng: &mut Rng) {
    let parts: Vec<&[u8]> = input.split(|byte| *byte == PART).collect();
    let chosen = rng.below(parts.len());
    let offset: usize = parts.iter().take(chosen).map(|part| part.len() + 1).sum();
    let Some(part) = parts.get(chosen) else { return };
    let head = part.windows(2).position(|pair| pair == b"\n\n").map_or(0, |at| at + 2);
    let (start, end) = (offset + head, offset + part.len());
    let Ok(mut value) = serde_json::from_slice::<Value>(&input[start..end]) else { return };
    let count = count(&value);
    for _ in 0..=rng.below(3) {
        let (target, source) = (rng.below(count), rng.below(count));
        let mut other = nth(&mut value, &mut { source }).cloned().unwrap_or_default();
        if let Some(place) = nth(&mut value, &mut { target }) {
            change(place, &mut other, words, rng);
        }
    }
    if let Ok(text) = serde_json::to_vec(&value) {
        input.splice(start..end, text);
    }
}

fn change(place: &mut Value, other: &mut Value, words: &[&str], rng: &mut Rng) {
    match (rng.below(6), place) {
        (0, place) => *place = std::mem::take(other),
        (1, Value::Object(map)) => {
            let names: Vec<String> = map.keys().cloned().collect();
            if let Some(name) = rng.pick(&names) {
                map.remove(name);
            }
        }
        (2, Value::Object(map)) => {
            let name = rng.pick(words).map_or("", |word| *word);
            map.insert(name.to_owned(), std::mem::take(other));
        }
        (1, Value::Array(list)) if !list.is_empty() => drop(list.remove(rng.below(list.len()))),
        (2, Value::Array(list)) => list.insert(rng.below(list.len() + 1), std::mem::take(other)),
        (3, Value::Array(list)) => {
            let copy = list.clone();
            let times = 1_usize << rng.below(5);
            list.extend(copy.iter().cycle().take((copy.len() * times).min(500)).cloned());
        }
        (4, place) => {
            // Deeper than anything is.
            for _ in 0..1 << rng.below(6) {
                let inner = std::mem::take(place);
                *place = if rng.one_in(2) { json!([inner]) } else { json!({"a": inner}) };
            }
        }
        (_, place) => *place = leaf(words, rng),
    }
}

/// Values at the edges of what types can hold.
fn leaf(words: &[&str], rng: &mut Rng) -> Value {
    match rng.below(24) {
        0 => Value::Null,
        1 => true.into(),
        2 => json!({}),
        3 => json!([]),
        4 => json!(-1),
        5 => json!(0),
        6 => i64::MIN.into(),
        7 => i64::MAX.into(),
        8 => u64::MAX.into(),
        9 => i32::MAX.into(),
        10 => json!(1.5),
        11 => json!(1e300),
        12 => "".into(),
        13 => "a".repeat(1 << rng.below(12)).into(),
        14 => "é\u{0}\u{10ffff}\"\\".into(),
        15 => "2026-01-08T12:00:00Z".into(),
        16 => "9999999999999999999999999".into(),
        17 => "-0.000000000000000001Ki".into(),
        18 => "1e9223372036854775807".into(),
        19 => ["0.0.0.0/0", "::ffff:1.2.3.4", "256.1.1.1", "fe80::1%eth0"][rng.below(4)].into(),
        20 => "100%".into(),
        21 => [Value::Null, json!(["a", null])][rng.below(2)].clone(),
        _ => rng.pick(words).map_or("", |word| *word).into(),
    }
}

/// How many values a value has, itself and those in it.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(map) => map.values().map(count).sum(),
        Value::Array(list) => list.iter().map(count).sum(),
        _ => 0,
    }
}

/// The `left`th of them.
fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Object(map) => map.values_mut().find_map(|value| nth(value, left)),
        Value::Array(list) => list.iter_mut().find_map(|value| nth(value, left)),
        _ => None,
    }
}
