use super::*;
use serde_json::json;

fn texts(schema: Value, value: Value) -> Vec<String> {
    validate(&Schema::parse(&schema), &value, "").iter().map(ToString::to_string).collect()
}

fn spec(properties: Value) -> Value {
    json!({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}})
}

fn assert_spec(properties: Value, value: Value, wanted: &[&str]) {
    assert_eq!(texts(spec(properties.clone()), json!({"spec": value})), wanted, "{properties} {value}");
}

#[test]
fn types_are_told_by_name() {
    let schema = json!({"size": {"type": "integer"}, "name": {"type": "string"}, "list": {"type": "array", "items": {"type": "integer"}}, "port": {"x-kubernetes-int-or-string": true}, "n": {"type": "string", "nullable": true}});
    for (value, wanted) in [
        (
            json!({"size": "1"}),
            vec![
                "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
            ],
        ),
        (
            json!({"size": 1.5}),
            vec![
                "spec.size: Invalid value: \"number\": spec.size in body must be of type integer: \"number\"",
                "<nil>: Invalid value: \"\": Checked value must be of type integer (default format) in spec.size",
            ],
        ),
        (json!({"size": 1.0}), vec![]),
        (
            json!({"name": 7}),
            vec![
                "spec.name: Invalid value: \"integer\": spec.name in body must be of type string: \"integer\"",
            ],
        ),
        (
            json!({"name": null}),
            vec!["spec.name: Invalid value: \"null\": spec.name in body must be of type string: \"null\""],
        ),
        (json!({"n": null}), vec![]),
        (
            json!({"list": [1, "x", true]}),
            vec![
                "spec.list[1]: Invalid value: \"string\": spec.list[1] in body must be of type integer: \"string\"",
                "spec.list[2]: Invalid value: \"boolean\": spec.list[2] in body must be of type integer: \"boolean\"",
            ],
        ),
        (
            json!({"port": true}),
            vec![
                "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\"",
            ],
        ),
        (json!({"port": "http"}), vec![]),
    ] {
        assert_spec(schema.clone(), value, &wanted);
    }
    assert_eq!(
        texts(spec(json!({})), json!({"spec": "text"})),
        ["spec: Invalid value: \"string\": spec in body must be of type object: \"string\""]
    );
}

#[test]
fn ranges_lengths_and_patterns() {
    let schema = json!({"i": {"type": "integer", "minimum": 1, "maximum": 10, "multipleOf": 2},
        "half": {"type": "number", "multipleOf": 0.5}, "x": {"type": "number", "exclusiveMinimum": true, "minimum": 0, "maximum": 1.5},
        "s": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"}, "l": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "m": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 2}, "small": {"type": "integer", "format": "int32"}});
    for (value, wanted) in [
        (
            json!({"i": 0}),
            vec!["spec.i: Invalid value: 0: spec.i in body should be greater than or equal to 1"],
        ),
        (
            json!({"i": 12}),
            vec!["spec.i: Invalid value: 12: spec.i in body should be less than or equal to 10"],
        ),
        (json!({"i": 3}), vec!["spec.i: Invalid value: 3: spec.i in body should be a multiple of 2"]),
        (json!({"half": 1.5}), vec![]),
        (
            json!({"half": 1}),
            vec!["spec.half: Invalid value: 0: factor MultipleOf declared for spec.half must be positive: 0"],
        ),
        (json!({"x": 0}), vec!["spec.x: Invalid value: 0: spec.x in body should be greater than 0"]),
        (
            json!({"x": 1.75}),
            vec!["spec.x: Invalid value: 1.75: spec.x in body should be less than or equal to 1.5"],
        ),
        (
            json!({"s": "a"}),
            vec!["spec.s: Invalid value: \"a\": spec.s in body should be at least 2 chars long"],
        ),
        (json!({"s": "abcde"}), vec!["spec.s: Too long: may not be more than 4 bytes"]),
        (json!({"s": "AB"}), vec!["spec.s: Invalid value: \"AB\": spec.s in body should match '^[a-z]+$'"]),
        (json!({"l": []}), vec!["spec.l: Invalid value: 0: spec.l in body should have at least 1 items"]),
        (json!({"l": ["a", "b", "c"]}), vec!["spec.l: Too many: 3: must have at most 2 items"]),
        (
            json!({"m": {}}),
            vec!["spec.m: Invalid value: 0: spec.m in body should have at least 1 properties"],
        ),
        (json!({"m": {"a": 1, "b": 2, "c": 3}}), vec!["spec.m: Too many: 3: must have at most 2 items"]),
        (
            json!({"m": {"a": "x"}}),
            vec!["spec.m.a: Invalid value: \"string\": spec.m.a in body must be of type integer: \"string\""],
        ),
        (
            json!({"small": 3_000_000_000_i64}),
            vec![
                "<nil>: Invalid value: \"\": Checked value must be of type integer with format int32 in spec.small",
            ],
        ),
    ] {
        assert_spec(schema.clone(), value, &wanted);
    }
}

#[test]
fn required_enum_and_formats() {
    let schema = json!({"inner": {"type": "object", "required": ["a", "b"], "properties": {"a": {}, "b": {}}}, "color": {"type": "string", "enum": ["red", "green"]},
        "n": {"type": "integer", "enum": [1, 2]}, "day": {"type": "string", "format": "date"}, "odd": {"type": "string", "format": "no-such"}});
    for (value, wanted) in [
        (json!({"inner": {}}), vec!["spec.inner.a: Required value", "spec.inner.b: Required value"]),
        (
            json!({"color": "blue"}),
            vec!["spec.color: Unsupported value: \"blue\": supported values: \"red\", \"green\""],
        ),
        (json!({"n": 3}), vec!["spec.n: Unsupported value: 3: supported values: \"1\", \"2\""]),
        (json!({"n": 2.0}), vec![]),
        (
            json!({"day": "2024-13-02"}),
            vec![
                "spec.day: Invalid value: \"2024-13-02\": spec.day in body must be of type date: \"2024-13-02\"",
            ],
        ),
        (
            json!({"day": 5}),
            vec!["spec.day: Invalid value: \"int64\": spec.day in body must be of type date: \"int64\""],
        ),
        (json!({"odd": "anything"}), vec![]),
    ] {
        assert_spec(schema.clone(), value, &wanted);
    }
    assert_eq!(texts(json!({"type": "object", "required": ["spec"]}), json!({})), ["spec: Required value"]);
}

#[test]
fn junctors_tell_the_best_branch() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "integer"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}], "not": {"required": ["c"], "properties": {"c": {"enum": [13]}}},
        "allOf": [{"properties": {"a": {"minimum": 2}}}, {"properties": {"a": {"maximum": 4}}}]}}});
    for (value, wanted) in [
        (json!({"a": 3}), vec![]),
        (
            json!({"a": 3, "b": 3}),
            vec![
                "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found 2 valid alternatives",
            ],
        ),
        (
            json!({"c": 1}),
            vec![
                "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid",
                "spec.a: Required value",
            ],
        ),
        (
            json!({"b": 1, "c": 13}),
            vec!["<nil>: Invalid value: \"\": \"spec\" must not validate the schema (not)"],
        ),
        (
            json!({"a": 1}),
            vec![
                "spec.a: Invalid value: 1: spec.a in body should be greater than or equal to 2",
                "<nil>: Invalid value: \"\": \"spec\" must validate all the schemas (allOf)",
            ],
        ),
        (
            json!({"a": 9}),
            vec![
                "spec.a: Invalid value: 9: spec.a in body should be less than or equal to 4",
                "<nil>: Invalid value: \"\": \"spec\" must validate all the schemas (allOf)",
            ],
        ),
    ] {
        assert_eq!(texts(schema.clone(), json!({"spec": value})), wanted, "{value}");
    }
}

#[test]
fn unchanged_values_stay_accepted() {
    let schema = Schema::parse(&spec(
        json!({"size": {"type": "integer", "maximum": 10}, "name": {"type": "string", "pattern": "^[a-z]+$"},
        "list": {"type": "array", "minItems": 2, "items": {"type": "string"}},
        "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["p"], "items": {"type": "object", "properties": {"p": {"type": "integer"}, "v": {"type": "integer", "maximum": 1}}}}}),
    ));
    let old = json!({"spec": {"size": 100, "name": "BAD", "list": ["x"], "ports": [{"p": 1, "v": 9}, {"p": 2, "v": 0}]}});
    let change = |change: &dyn Fn(&mut Value)| {
        let mut new = old.clone();
        change(&mut new["spec"]);
        validate_update(&schema, &new, &old, "").iter().map(|error| error.field.clone()).collect::<Vec<_>>()
    };
    assert!(change(&|_| {}).is_empty());
    assert!(change(&|spec| spec["name"] = "good".into()).is_empty());
    assert_eq!(change(&|spec| spec["size"] = 99.into()), ["spec.size"]);
    assert_eq!(change(&|spec| spec["list"] = json!(["y"])), ["spec.list"]);
    assert!(change(&|spec| spec["ports"] = json!([{"p": 2, "v": 1}, {"p": 1, "v": 9}])).is_empty());
    assert_eq!(change(&|spec| spec["ports"] = json!([{"p": 1, "v": 8}])), ["spec.ports[0].v"]);
    assert_eq!(validate(&schema, &old, "").len(), 4);
}

#[test]
fn a_base_stands_before_the_fields() {
    let schema = Schema::parse(
        &json!({"type": "object", "properties": {"phase": {"type": "string", "enum": ["New"]}}}),
    );
    let errors = validate(&schema, &json!({"phase": "Odd"}), "status");
    assert_eq!(errors[0].field, "status.phase");
}
