use super::*;
use crate::{complete, decode as decode_json, kinds, tables::Tagged};
use chainplate_apimachinery::{
    Map, Value,
    shape::{Kind, Scalar, Shape},
};
use serde_json::json;

/// The next number of a sequence that is the same in every run (splitmix64).
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *seed;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A value of a shape, without members that hold nothing.
fn made(shape: TypeRef, seed: &mut u64, depth: u32) -> Value {
    let number = next(seed);
    match shape.kind() {
        Kind::Scalar(Scalar::String) => format!("text-{}", number % 1000).into(),
        Kind::Scalar(Scalar::Bool) => true.into(),
        Kind::Scalar(Scalar::Int32) => json!((number as i32).max(1)),
        Kind::Scalar(Scalar::Int64) => {
            json!(if number.is_multiple_of(3) { i64::MIN } else { (number >> 1) as i64 | 1 })
        }
        Kind::Scalar(Scalar::Float) => json!(0.5 + (number % 9) as f64),
        Kind::Scalar(Scalar::Bytes) => "AAEC/w==".into(),
        Kind::Scalar(Scalar::Time) => {
            ["2024-01-02T03:04:05Z", "1969-12-31T23:59:59Z"][number as usize % 2].into()
        }
        Kind::Scalar(Scalar::MicroTime) => {
            ["2024-01-02T03:04:05.000006Z", "1969-12-31T23:59:59.500000Z"][number as usize % 2].into()
        }
        Kind::Scalar(Scalar::Quantity) => ["100m", "1Gi", "0"][number as usize % 3].into(),
        Kind::Scalar(Scalar::IntOrString) => {
            [json!(80), json!("http"), json!(0)][number as usize % 3].clone()
        }
        Kind::Struct { .. } => {
            let mut map = Map::new();
            for field in shape.fields() {
                let of_type = field.protobuf_tags().0 == 0;
                if !of_type && (depth < 3 || next(seed).is_multiple_of(2 + u64::from(depth))) && depth < 12 {
                    map.insert(field.name().to_owned(), made(field.shape(), seed, depth + 1));
                }
            }
            Value::Object(map)
        }
        Kind::Map { .. } => {
            let Some(element) = shape.element() else { return Value::Null };
            let names = (0..1 + number % 3).map(|index| format!("key-{index}"));
            names.map(|name| (name, made(element, seed, depth + 1))).collect::<Map>().into()
        }
        Kind::List(_) => {
            let Some(element) = shape.element() else { return Value::Null };
            (0..1 + number % 3).map(|_| made(element, seed, depth + 1)).collect::<Vec<_>>().into()
        }
        Kind::Any { .. } => match (loose(shape), shape.loose_struct()) {
            (Loose::OrBool, _) if depth > 3 => number.is_multiple_of(2).into(),
            (Loose::OrTexts, _) if number.is_multiple_of(2) => json!(["a", "b"]),
            (Loose::OrArray, Some(of)) if number.is_multiple_of(2) => json!([made(of, seed, depth + 2)]),
            (_, Some(of)) => made(of, seed, depth + 2),
            _ => json!({"f:a": {".": {}, "k:{\"n\":\"é\"}": [1, null, "x"]}}),
        },
    }
}

fn typed(shape: TypeRef, api_version: &str, kind: &str, seed: &mut u64) -> Value {
    let mut value = made(shape, seed, 0);
    value["kind"] = kind.into();
    value["apiVersion"] = api_version.into();
    // What is odd in it, such as empty members, is as Go has it.
    decode_json(shape, &mut value).unwrap();
    value
}

fn encoded(value: &Value) -> Vec<u8> {
    let (api_version, kind) = (value["apiVersion"].as_str().unwrap(), value["kind"].as_str().unwrap());
    encode(&serde_json::to_vec(value).unwrap(), api_version, kind).unwrap()
}

#[test]
fn objects_of_every_kind_come_back() {
    let mut seed = 36;
    for (group, version, kind, shape) in kinds() {
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        for _ in 0..5 {
            let object = typed(shape, &api_version, kind, &mut seed);
            let mut decoded = decode(&encoded(&object), ("", "")).unwrap();
            decode_json(shape, &mut decoded).unwrap();
            let mut object = object;
            complete(shape, &mut object);
            complete(shape, &mut decoded);
            assert_eq!(decoded, object, "{api_version} {kind}");
        }
    }
}

#[test]
fn objects_of_every_kind_come_back_in_json() {
    let mut seed = 37;
    for (group, version, kind, shape) in kinds() {
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        for _ in 0..5 {
            let mut object = typed(shape, &api_version, kind, &mut seed);
            complete(shape, &mut object);
            let mut back = serde_json::from_slice(&serde_json::to_vec(&object).unwrap()).unwrap();
            assert_eq!(decode_json(shape, &mut back), Ok(Vec::new()), "{api_version} {kind}");
            complete(shape, &mut back);
            assert_eq!(back, object, "{api_version} {kind}");
        }
    }
}

#[test]
fn every_number_of_a_type_leads_to_its_field() {
    for (_, _, kind, shape) in kinds() {
        for field in shape.fields() {
            let (tag, way) = field.protobuf_tags();
            if tag == 0 {
                continue;
            }
            assert_eq!(shape.tagged(tag.into(), way), Some(Tagged::Field(field)), "{kind} {}", field.name());
            if way != 0 {
                let (outer, inner) = (way & 0xff, way >> 8);
                assert_eq!(shape.tagged(outer.into(), 0), Some(Tagged::Embedded(outer)));
                assert!(inner == 0 || shape.tagged(inner.into(), outer) == Some(Tagged::Embedded(way)));
            }
        }
        assert_eq!(shape.tagged(0, 0), None);
        assert_eq!(shape.tagged(u32::MAX, 0), None);
    }
}

#[test]
fn every_field_has_a_number() {
    let mut pending: Vec<_> = kinds().map(|row| row.3).collect();
    pending.extend(
        ["Status", "DeleteOptions", "APIResourceList"]
            .map(|name| crate::named(&format!("{META}{name}")).unwrap()),
    );
    let mut seen = std::collections::BTreeSet::new();
    while let Some(shape) = pending.pop() {
        pending.extend(shape.loose_struct());
        pending.extend(shape.element().filter(|_| !matches!(shape.kind(), Kind::Any { .. })));
        let Some(name) = shape.definition().filter(|name| seen.insert(name.clone())) else { continue };
        for field in shape.fields() {
            let is_type = matches!(field.name(), "kind" | "apiVersion");
            assert!(is_type || field.protobuf_tags().0 != 0, "{name} {}", field.name());
            pending.push(field.shape());
        }
    }
}

#[test]
fn a_recorded_body_is_read() {
    let body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x0d\x0a\x03\x0a\x01a\x12\x06\x0a\x01k\x12\x01v";
    let want =
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"k": "v"}});
    assert_eq!(decode(body, ("", "")), Ok(want.clone()));
    let json = br#"{"metadata":{"name":"a"},"data":{"k":"v"}}"#;
    assert_eq!(encode(json, "v1", "ConfigMap").unwrap(), body);
}

#[test]
fn what_go_writes_of_nothing_is_left_out() {
    // metadata with name, an empty generateName, generation 0, a creationTimestamp without time.
    let raw = b"\x0a\x09\x0a\x01a\x12\x00\x38\x00\x42\x00";
    let body = [&b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x0b"[..], raw].concat();
    let want = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}});
    assert_eq!(decode(&body, ("", "")), Ok(want));
}

#[test]
fn the_type_may_be_left_to_the_reader() {
    assert_eq!(decode(b"k8s\0\x12\x00", ("v1", "Pod")), Ok(json!({"kind": "Pod", "apiVersion": "v1"})));
}

#[test]
fn delete_options_are_read_in_any_group() {
    for api_version in ["v1", "apps/v1", "meta.k8s.io/v1"] {
        let options = json!({
            "kind": "DeleteOptions", "apiVersion": api_version, "gracePeriodSeconds": 0,
            "preconditions": {"uid": "u"}, "propagationPolicy": "Foreground", "dryRun": ["All"],
        });
        assert_eq!(decode(&encoded(&options), ("", "")), Ok(options));
    }
}

#[test]
fn integers_may_be_packed() {
    // Pod.spec.securityContext.supplementalGroups
    let raw = [&b"\x12\x06\x72\x04\x22\x02\x01\x02"[..], b"\x12\x04\x72\x02\x20\x03"].concat();
    let mut body = b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod".to_vec();
    wire::bytes(&mut body, RAW, &raw);
    let pod = decode(&body, ("", "")).unwrap();
    assert_eq!(pod["spec"]["securityContext"]["supplementalGroups"], json!([1, 2, 3]));
}

#[test]
fn malformed_bodies_are_refused_in_gos_words() {
    let text = |body: &[u8]| decode(body, ("v1", "Pod")).unwrap_err().message;
    assert_eq!(text(b""), "empty data");
    assert_eq!(text(b"k8s\0"), "empty body");
    assert_eq!(
        text(b"not protobuf"),
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    );
    assert_eq!(text(b"k8s\0\x12\x09\x0a"), "unexpected EOF");
    assert_eq!(text(b"k8s\0\x12\x02\x08\x01"), "proto: wrong wireType = 0 for field Metadata");
    assert_eq!(text(b"k8s\0\x12\x01\x00"), "proto: Pod: illegal tag 0 (wire type 0)");
    assert_eq!(text(b"k8s\0\x12\x01\x0c"), "proto: Pod: wiretype end group for non-group");
    let error = decode(b"k8s\0\x0a\x0a\x0a\x02v1\x12\x04None", ("v1", "Pod")).unwrap_err();
    assert_eq!(error.kind, "None");
    assert!(error.message.starts_with("no kind \"None\" is registered for version \"v1\""), "{error}");
}

#[test]
fn messages_lie_in_each_other_up_to_a_depth() {
    // CustomResourceDefinition.spec.versions[].schema.openAPIV3Schema, then `not` (field 28) again and again.
    let mut raw = Vec::new();
    for _ in 0..200_000 / 64 {
        let mut outer = Vec::new();
        wire::bytes(&mut outer, 28, &raw);
        raw = outer;
    }
    for number in [1, 4, 7, 2] {
        let mut outer = Vec::new();
        wire::bytes(&mut outer, number, &raw);
        raw = outer;
    }
    let mut body = b"k8s\0".to_vec();
    wire::bytes(&mut body, RAW, &raw);
    let error = decode(&body, ("apiextensions.k8s.io/v1", "CustomResourceDefinition")).unwrap_err();
    assert_eq!(error.message, "exceeded max depth");
}

/// As Go's `mapvalue := []byte{}`, and its nil slice in a message without items.
#[test]
fn an_entry_without_a_value_holds_no_bytes_and_no_list() {
    let body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x07\x1a\x05\x0a\x03app";
    let want = json!({"kind": "ConfigMap", "apiVersion": "v1", "binaryData": {"app": ""}});
    assert_eq!(decode(body, ("", "")), Ok(want));
    let extra = |value: &[u8]| {
        let entry = [b"\x0a\x01a", value].concat();
        let spec = [&[0x2a, entry.len() as u8], &entry[..]].concat();
        let raw = [&[0x12, spec.len() as u8], &spec[..]].concat();
        let body = [b"k8s\0\x12", &[raw.len() as u8][..], &raw].concat();
        let read = decode(&body, ("authorization.k8s.io/v1", "SubjectAccessReview")).unwrap();
        read["spec"]["extra"]["a"].clone()
    };
    assert_eq!((extra(b""), extra(b"\x12\x00")), (Value::Null, Value::Null));
    assert_eq!(extra(b"\x12\x03\x0a\x01b"), json!(["b"]));
}

#[test]
fn no_bytes_make_it_panic() {
    let mut seed = 7;
    for (group, version, kind, shape) in kinds() {
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let object = typed(shape, &api_version, kind, &mut seed);
        let body = encoded(&object);
        for _ in 0..40 {
            let mut broken = body.clone();
            for _ in 0..=next(&mut seed) % 4 {
                let at = next(&mut seed) as usize % broken.len();
                broken[at] = next(&mut seed) as u8;
            }
            broken.truncate(next(&mut seed) as usize % (broken.len() + 1));
            let _ = decode(&broken, (&api_version, kind));
            let noise: Vec<u8> = (0..next(&mut seed) % 200).map(|_| next(&mut seed) as u8).collect();
            let mut enveloped = MAGIC.to_vec();
            wire::bytes(&mut enveloped, RAW, &noise);
            let _ = decode(&enveloped, (&api_version, kind));
        }
    }
}

#[test]
fn items_make_the_list_that_is_encoded_at_once() {
    let items = [
        json!({"metadata": {"name": "a"}}),
        json!({"metadata": {"name": "b"}, "data": {"k": "v".repeat(300)}}),
    ];
    for (api_version, kind) in [("v1", "ConfigMapList"), ("meta.k8s.io/v1", "PartialObjectMetadataList")] {
        let text = items.iter().map(Value::to_string).collect::<Vec<_>>().join(",");
        let list = format!(r#"{{"metadata":{{"resourceVersion":"5"}},"items":[{text}]}}"#);
        let list = encode(list.as_bytes(), api_version, kind).unwrap();
        let encoder = List::new(api_version, kind).unwrap();
        let mut encoded_items = Vec::new();
        for item in &items {
            encoder.item(&mut encoded_items, item.to_string().as_bytes()).unwrap();
        }
        let head = encoder.head(br#"{"resourceVersion":"5"}"#, encoded_items.len()).unwrap();
        assert_eq!([head, encoded_items].concat(), list);
        assert_eq!(decode(&list, ("", "")).unwrap()["items"][1]["metadata"]["name"], "b");
    }
}

#[test]
fn a_watch_frame_has_its_length_in_front() {
    let mut out = b"before".to_vec();
    watch_frame(&mut out, "ADDED", b"k8s\0");
    assert_eq!(out, b"before\0\0\0\x0f\x0a\x05ADDED\x12\x06\x0a\x04k8s\0");
}
