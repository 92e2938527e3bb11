//! Bodies: JSON, YAML, protobuf, and JSON as an object of a type.

use super::{objects, size, text};
use crate::Target;
use chainplate_apimachinery::{Value, decode as document};
use chainplate_types::{complete, decode, kinds, lookup, protobuf};

pub(super) const JSON: Target =
    Target { name: "json", check: json, seeds: json_seeds, words: objects::WORDS };
pub(super) const YAML: Target = Target { name: "yaml", check: yaml, seeds: yaml_seeds, words: YAML_WORDS };
pub(super) const PROTOBUF: Target =
    Target { name: "protobuf", check: protobuf_, seeds: protobuf_seeds, words: &["k8s\0", "\n", "\u{12}"] };
pub(super) const TYPED: Target =
    Target { name: "typed", check: typed, seeds: typed_seeds, words: objects::WORDS };

fn json_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [
        objects::POD,
        objects::DEPLOYMENT,
        r#"{"a":1,"a":{"b":2,"b":2},"c":[{"d":1,"d":2}]}"#,
        r#"[1e400,-0,1.5e-300,9223372036854775808,18446744073709551616,"\ud800","\u0000"]"#,
        "nul",
        "",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    seeds.push(b"[".repeat(60_000));
    seeds.push(br#"{"a":"#.repeat(12_000));
    seeds.push(many_members());
    seeds
}

/// An object with many members that no type knows.
fn many_members() -> Vec<u8> {
    let members: Vec<String> = (0..20_000).map(|number| format!("\"x{number}\":1")).collect();
    format!("{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{{{}}}}}", members.join(",")).into_bytes()
}

fn json(input: &[u8]) {
    assert!(document::summarize(input).len() <= 30 * 3 + 4, "a summary is short");
    match document::json(input) {
        Ok(found) => {
            let again = document::json(&serde_json::to_vec(&found.value).unwrap_or_default());
            assert_eq!(again.map(|found| found.value), Ok(found.value), "what was read is written and read");
            let told = document::strict_errors(input, &["a".into(), "spec.x1".into()]);
            assert!(told.len() <= 100, "{} strict errors", told.len());
            assert!(!found.has_duplicates || !told.is_empty(), "duplicates are told");
        }
        Err(why) => assert!(!why.is_empty() && why.len() < 1000, "a refusal says why, in short: {why}"),
    }
}

const YAML_WORDS: &[&str] = &[
    "---\n",
    "...\n",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "!!binary ",
    "!x ",
    "%YAML 1.1\n",
    "? ",
    "- ",
    "\n  ",
    "yes",
    "0o7",
    "07",
    ".nan",
    ".inf",
    "0x10",
    "1_000",
    "~",
    "|\n  a\n",
    ">-\n  a\n",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "\t",
    "#",
    "\"",
    "'",
];

fn yaml_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [
        objects::POD,
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  a: |\n    b\n  yes: no\n  1: 2.5\n",
        "a: &a [x, y]\nb: *a\nc: {<<: {d: 1}, e: !!str 5}\n---\nsecond: 1\n",
        "a: &a [l,l,l,l,l,l,l,l,l]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
         d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
        "a: 1\na: 2\nb:\n  - c: 1\n    c: 2\n",
        "- .inf\n- .nan\n- 0x1f\n- 017\n- 1_000\n- 2024-01-02\n- !!binary AAE=\n- ~\n- ? a\n  : b\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    // A long text, named many times.
    let named = format!("a: &a {}\nb: [{}]\n", "x".repeat(30_000), "*a,".repeat(10_000));
    seeds.push(named.into_bytes());
    seeds.push(b"[".repeat(60_000));
    seeds.push((0..250).flat_map(|depth| format!("{}a:\n", " ".repeat(depth)).into_bytes()).collect());
    seeds
}

/// What a body may become at most: upstream takes bodies of 3 MiB.
const LARGEST: usize = 80 << 20;

fn yaml(input: &[u8]) {
    match document::yaml(input) {
        Ok(found) => {
            assert!(size(&found.value) <= LARGEST, "aliases are bounded: {} bytes", size(&found.value));
            let again = document::json(&serde_json::to_vec(&found.value).unwrap_or_default());
            assert_eq!(again.map(|found| found.value), Ok(found.value), "YAML becomes JSON that can be read");
        }
        Err(why) => assert!(why.starts_with("yaml: "), "{why}"),
    }
}

fn protobuf_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = objects::of_every_kind(1)
        .filter_map(|(api_version, kind, shape, mut object)| {
            decode(shape, &mut object).ok()?;
            protobuf::encode(&serde_json::to_vec(&object).ok()?, &api_version, kind)
        })
        .collect();
    seeds.extend(protobuf::encode(objects::POD.as_bytes(), "v1", "Pod"));
    // Lengths that are a lie, and groups in groups.
    seeds.push(b"k8s\0\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec());
    seeds.push([&b"k8s\0\x12\xe8\x07"[..], &b"\x1b".repeat(1000)].concat());
    seeds
}

fn protobuf_(input: &[u8]) {
    let Ok(mut found) = protobuf::decode(input, ("v1", "Pod")) else { return };
    // Each byte makes an item of a list at most, which is a few bytes of JSON; base64 and escapes are within that.
    let raw = size(&found);
    let of = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (of("apiVersion"), of("kind"));
    assert!(raw <= input.len() * 64 + 4096, "{} bytes became {raw}", input.len());
    let bytes = protobuf::encode(&serde_json::to_vec(&found).unwrap_or_default(), &api_version, &kind);
    let again = bytes.and_then(|bytes| protobuf::decode(&bytes, ("", "")).ok());
    assert_eq!(again.as_ref(), Some(&found), "what was read is written and read");
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    if let Some(shape) = lookup(group, version, &kind) {
        let _ = decode(shape, &mut found);
    }
}

/// A kind by its place in the table, then an object.
fn typed_seeds() -> Vec<Vec<u8>> {
    let objects = (1..3).flat_map(|seed| {
        objects::of_every_kind(seed).enumerate().map(|(number, (.., object))| {
            let number = u8::try_from(number).unwrap_or_default();
            [&[number][..], &serde_json::to_vec(&object).unwrap_or_default()].concat()
        })
    });
    let pod = kinds().position(|(group, version, kind, _)| (group, version, kind) == ("", "v1", "Pod"));
    let pod = u8::try_from(pod.unwrap_or_default()).unwrap_or_default();
    objects.chain([[&[pod][..], &many_members()].concat()]).collect()
}

fn typed(input: &[u8]) {
    let Some((number, body)) = input.split_first() else { return };
    let chosen = kinds().nth(usize::from(*number) % kinds().len());
    let Some((group, version, kind, shape)) = chosen else { return };
    let Ok(mut value) = document::json(body).map(|parsed| parsed.value) else { return };
    if decode(shape, &mut value).is_err() {
        return;
    }
    complete(shape, &mut value);
    let mut again = value.clone();
    assert_eq!(decode(shape, &mut again), Ok(Vec::new()), "what was decoded has no unknown members");
    complete(shape, &mut again);
    assert_eq!(again, value, "completing and decoding again changes nothing");
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let bytes = protobuf::encode(&serde_json::to_vec(&value).unwrap_or_default(), &api_version, kind);
    let Some(bytes) = bytes else { return };
    let back = protobuf::decode(&bytes, ("", ""));
    assert!(back.is_ok() || text(body).contains("f:"), "what was written is read: {back:?}");
}
