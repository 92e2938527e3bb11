use super::*;
use serde_json::json;

#[test]
fn json_keeps_integers_and_the_last_of_duplicates() {
    let document = json(br#"{"a":1,"b":{"c":9223372036854775807,"c":2},"a":-3,"f":2.0}"#).unwrap();
    assert_eq!(document.value, json!({"a": -3, "b": {"c": 2}, "f": 2.0}));
    assert!(document.has_duplicates);
    assert!(!json(br#"[{"a":1},{"a":1}]"#).unwrap().has_duplicates);
}

/// Otherwise an object that is only read and written drifts.
#[test]
fn a_number_is_the_same_once_it_was_written_and_read() {
    for text in ["18446745073709551616745", "0.1", "2.2250738585072011e-308", "1.7976931348623157e308"] {
        let number = json(text.as_bytes()).unwrap().value;
        assert_eq!(number.as_f64(), text.parse().ok(), "{text}");
        assert_eq!(json(number.to_string().as_bytes()).unwrap().value, number, "{text}");
    }
}

#[test]
fn syntax_errors_are_told_as_go_tells_them() {
    for (body, want) in [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ("data:\n", "invalid character 'd' looking for beginning of value"),
        ("{\"a\":1]", "invalid character ']' after object key:value pair"),
        ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
        ("{} x", "invalid character 'x' after top-level value"),
    ] {
        assert_eq!(json(body.as_bytes()).unwrap_err(), want, "{body}");
    }
}

#[test]
fn nesting_is_bounded_without_using_the_stack() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(json(deep(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(json(deep(100_000).as_bytes()).unwrap_err(), "exceeded max depth");
    assert!(yaml(deep(100_000).as_bytes()).is_err());
}

#[test]
fn strict_errors_stand_in_the_order_of_the_document() {
    let body = br#"{"metadata":{"name":"a","nope":1},"data":{"k":"1","k":"2","k":"3"},"extra":{"x":1,"x":2},"l":[{"y":1,"y":2}]}"#;
    let unknown = ["extra".to_owned(), "metadata.nope".to_owned()];
    assert_eq!(
        strict_errors(body, &unknown),
        [
            "unknown field \"metadata.nope\"",
            "duplicate field \"data.k\"",
            "unknown field \"extra\"",
            "duplicate field \"l[0].y\""
        ]
    );
}

#[test]
fn yaml_is_read_as_upstream_reads_it() {
    let text = "# a comment\napiVersion: v1\ndata:\n  text: |\n    one\n    two\n  number: \"5\"\n  yes: \"yes\"\n  1: 0o7\n";
    assert_eq!(
        yaml(text.as_bytes()).unwrap().value,
        json!({"apiVersion": "v1", "data": {"text": "one\ntwo\n", "number": "5", "true": "yes", "1": 7}})
    );
    assert_eq!(yaml(b"").unwrap().value, Value::Null);
    assert_eq!(yaml(b"\n# only a comment\n").unwrap().value, Value::Null);
    assert_eq!(yaml(br#"{"a": 1}"#).unwrap().value, json!({"a": 1}));
    assert_eq!(yaml(b"{a: 1}").unwrap().value, json!({"a": 1}));
}

#[test]
fn only_the_first_yaml_document_counts() {
    assert_eq!(yaml(b"---\na: 1\n---\na: 2\n").unwrap().value, json!({"a": 1}));
    assert_eq!(yaml(b"a: |\n  ---\n  x\n---\nb: [").unwrap().value, json!({"a": "---\nx\n"}));
}

#[test]
fn yaml_duplicates_are_told_by_line_and_the_last_wins() {
    let document = yaml(b"data:\n  k: 1\n  k: 2\n").unwrap();
    assert_eq!(document.value, json!({"data": {"k": 2}}));
    assert_eq!(document.yaml_errors, ["line 3: key \"k\" already set in map"]);
}

#[test]
fn yaml_errors_name_the_line() {
    let error = yaml(b"a: 1\nb: [a\n").unwrap_err();
    assert_eq!(error, "yaml: line 2: did not find expected ',' or ']'");
    assert_eq!(yaml(b"{a: [1], b: 2").unwrap_err(), "yaml: line 1: did not find expected ',' or '}'");
    assert!(yaml(&[0xff, 0xfe]).is_err());
}

#[test]
fn aliases_cannot_blow_up() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    assert!(yaml(text.as_bytes()).is_err());
}

#[test]
fn summaries_are_short() {
    assert_eq!(summarize(b""), "<empty>");
    assert_eq!(summarize(b"{\"a\":1}"), "{\"a\":1}");
    assert_eq!(summarize(b"abc"), "616263");
    assert!(summarize(&[b'x'; 31]).ends_with("78 ..."));
}
