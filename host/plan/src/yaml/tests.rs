use super::*;
use serde_json::json;

fn yaml(value: &Value) -> String {
    from_json(value.to_string().as_bytes()).expect("JSON")
}

#[test]
fn objects_are_written_as_the_reference_does() {
    let value = json!({
        "kind": "ConfigMap", "apiVersion": "v1",
        "data": {"text": "one\ntwo\n", "number": "5", "true": "yes"},
        "metadata": {
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "managedFields": [{
                "fieldsV1": {"f:data": {"f:text": {}, ".": {}, "f:true": {}}}, "manager": "replay",
                "time": "2026-01-02T03:04:05Z",
            }],
            "name": "a", "finalizers": ["a/b", "c"],
        },
    });
    let want = "apiVersion: v1\ndata:\n  number: \"5\"\n  text: |\n    one\n    two\n  \"true\": \"yes\"\n\
        kind: ConfigMap\nmetadata:\n  creationTimestamp: \"2026-01-02T03:04:05Z\"\n  finalizers:\n  - a/b\n  - c\n  \
        managedFields:\n  - fieldsV1:\n      f:data:\n        .: {}\n        f:text: {}\n        f:true: {}\n    \
        manager: replay\n    time: \"2026-01-02T03:04:05Z\"\n  name: a\n";
    assert_eq!(yaml(&value), want);
}

#[test]
fn long_scalars_are_folded_behind_column_80() {
    let value = json!({"code": 406, "message": "only the following media types are accepted: \
        application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch", "metadata": {}});
    let want = "code: 406\nmessage: 'only the following media types are accepted: application/json;stream=watch,\n  \
        application/vnd.kubernetes.protobuf;stream=watch'\nmetadata: {}\n";
    assert_eq!(yaml(&value), want);
}

#[test]
fn strings_are_quoted_where_a_reader_would_take_them_for_something_else() {
    let cases = [
        ("", "\"\""),
        ("a b", "a b"),
        ("null", "\"null\""),
        ("on", "\"on\""),
        ("1.5", "\"1.5\""),
        ("0x1f", "\"0x1f\""),
        ("08", "\"08\""),
        ("1_000", "\"1_000\""),
        ("-1e3", "\"-1e3\""),
        ("10.0.0.1", "10.0.0.1"),
        ("1h", "1h"),
        ("10:30", "\"10:30\""),
        ("2026-01-02", "\"2026-01-02\""),
        ("2026-13-02", "2026-13-02"),
        (".5", "\".5\""),
        ("a: b", "'a: b'"),
        ("a:b", "a:b"),
        ("- a", "'- a'"),
        ("-a", "-a"),
        ("it's", "it's"),
        ("'a'", "'''a'''"),
        ("a #b", "'a #b'"),
        ("*", "'*'"),
        (" a", "' a'"),
        ("a\tb", "\"a\\tb\""),
        ("é", "é"),
        ("\u{1f600}", "\"\\U0001F600\""),
        ("a\r\nb", "\"a\\r\\nb\""),
        ("=", "="),
    ];
    for (text, want) in cases {
        assert_eq!(yaml(&json!({"k": text})), format!("k: {want}\n"), "{text:?}");
    }
}

#[test]
fn literals_tell_how_they_end_and_begin() {
    let cases = [
        ("a\nb", "|-\n  a\n  b\n"),
        ("a\n\nb\n", "|\n  a\n\n  b\n"),
        ("a\n\n", "|+\n  a\n\n"),
        (" a\nb", "|2-\n   a\n  b\n"),
        ("a \nb", "\"a \\nb\"\n"),
    ];
    for (text, want) in cases {
        assert_eq!(yaml(&json!({"k": text})), format!("k: {want}"), "{text:?}");
        let document = yaml(&json!({"k": text, "l": 1}));
        assert_eq!(document, format!("k: {want}l: 1\n"), "{text:?}");
    }
}

#[test]
fn keys_stand_in_natural_order() {
    let value = json!({"a10": 1, "a9": 1, "b": 1, ".": 1, "a09": 1, "B": 1, "f:x": 1});
    assert_eq!(yaml(&value), ".: 1\nB: 1\na9: 1\na09: 1\na10: 1\nb: 1\nf:x: 1\n");
}

#[test]
fn leaves_are_written_as_go_does() {
    let value = json!({"a": [], "b": {}, "c": null, "d": [[1, 2.5], true], "e": 1e30, "f": -7});
    assert_eq!(yaml(&value), "a: []\nb: {}\nc: null\nd:\n- - 1\n  - 2.5\n- true\ne: 1e+30\nf: -7\n");
}
