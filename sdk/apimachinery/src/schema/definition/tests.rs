use super::*;
use serde_json::json;

fn texts(schema: Value, options: Options) -> Vec<String> {
    let path = field::Path::Child(&field::Path::Root, "s");
    validate_schema(schema.as_object().unwrap(), &options, &path).iter().map(ToString::to_string).collect()
}

#[test]
fn each_rule_is_told_in_upstreams_words() {
    let spec = |spec: Value| json!({"type": "object", "properties": {"spec": spec}});
    for (schema, wanted) in [
        (
            spec(json!({"type": "text"})),
            "s.properties[spec].type: Unsupported value: \"text\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"",
        ),
        (
            spec(json!({"type": "object", "properties": {"a": {"$ref": "#/x"}}})),
            "s.properties[spec].properties[a].$ref: Forbidden: $ref is not supported",
        ),
        (
            spec(
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
            ),
            "s.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            spec(json!({"type": "array", "uniqueItems": true, "items": {"type": "string"}})),
            "s.properties[spec].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (
            spec(
                json!({"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object", "properties": {"k": {"type": "string"}}}, "x-kubernetes-list-map-keys": ["k"]}),
            ),
            "s.properties[spec].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
        (
            spec(json!({"type": "array", "x-kubernetes-list-type": "bag", "items": {"type": "string"}})),
            "s.properties[spec].x-kubernetes-list-type: Unsupported value: \"bag\": supported values: \"atomic\", \"set\", \"map\"",
        ),
        (
            spec(json!({"type": "object", "properties": {"a": {"type": "string", "default": 1}}})),
            "s.properties[spec].properties[a].default: Invalid value: \"integer\":  in body must be of type string: \"integer\"",
        ),
        (
            spec(json!({"type": "object", "default": {"b": 1}, "properties": {"a": {"type": "string"}}})),
            "s.properties[spec].default: Invalid value: {\"b\":1}: must not have unknown fields",
        ),
        (
            json!({"type": "object", "nullable": true}),
            "s.nullable: Forbidden: nullable cannot be true at the root",
        ),
        (
            json!({"type": "object", "properties": {"kind": {"type": "string", "default": "x"}}}),
            "s.properties[kind].default: Forbidden: must not be set in top-level kind",
        ),
        (
            spec(json!({"type": "object", "x-kubernetes-validations": [{"rule": ""}]})),
            "s.properties[spec].x-kubernetes-validations[0].rule: Required value: rule is not specified",
        ),
    ] {
        assert_eq!(texts(schema.clone(), Options::default()), [wanted], "{schema}");
    }
}

#[test]
fn the_status_subresource_restricts_the_root() {
    let options = Options { status_subresource: true, ..Options::default() };
    assert!(
        texts(
            json!({"type": "object", "required": ["spec"], "properties": {"spec": {"type": "object"}}}),
            options
        )
        .is_empty()
    );
    let found = texts(json!({"type": "object", "maxProperties": 3}), options);
    assert!(found[0].contains("only [Description Type Format"), "{found:?}");
}

#[test]
fn unknown_formats_are_found() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "format": "nope"}, "b": {"type": "integer", "format": "int32"}, "c": {"type": "string", "format": "date-time"}}});
    assert_eq!(unrecognized_formats(schema.as_object().unwrap()), ["nope"]);
}
