//! Defaulting (`apiextensions-apiserver/pkg/apiserver/schema/defaulting`).

use super::Schema;
use crate::Value;

/// Drops nulls that may not be null and have no default. (Those that have one are replaced by [`default`].)
pub fn drop_nulls(schema: &Schema, value: &mut Value) {
    nulls(Some(schema), value);
}

fn nulls(schema: Option<&Schema>, value: &mut Value) {
    let Some(schema) = schema else { return };
    match value {
        Value::Object(object) => {
            if schema.properties.is_empty() && schema.additional.schema().is_none() {
                return;
            }
            object.retain(|key, value| {
                let member = schema.member(key);
                let drop = value.is_null()
                    && member.is_some_and(|member| !member.nullable && member.default.is_none());
                if !drop {
                    nulls(member, value);
                }
                !drop
            });
        }
        Value::Array(items) => {
            if let Some(item_schema) = &schema.items {
                for item in items {
                    nulls(Some(item_schema), item);
                }
            }
        }
        _ => {}
    }
}

/// Fills what is missing, and what is null without being allowed to.
pub fn default(schema: &Schema, value: &mut Value) {
    if !schema.has_defaults {
        return;
    }
    match value {
        Value::Object(object) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else { continue };
                match object.get_mut(name) {
                    None => {
                        object.insert(name.clone(), default.clone());
                    }
                    Some(value) if value.is_null() && !property.nullable => *value = default.clone(),
                    Some(_) => {}
                }
            }
            for (name, value) in object.iter_mut() {
                if let Some(property) = schema.property(name) {
                    default(property, value);
                } else if let Some(additional) = schema.additional.schema() {
                    fill_null(additional, value);
                    default(additional, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(item_schema) = &schema.items {
                for item in items {
                    fill_null(item_schema, item);
                    default(item_schema, item);
                }
            }
        }
        _ => {}
    }
}

fn fill_null(schema: &Schema, value: &mut Value) {
    if value.is_null()
        && !schema.nullable
        && let Some(default) = &schema.default
    {
        *value = default.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn run(schema: Value, mut object: Value) -> Value {
        let schema = Schema::parse(&schema);
        drop_nulls(&schema, &mut object);
        default(&schema, &mut object);
        object
    }

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object", "default": {}, "properties": {
            "a": {"type": "string", "default": "x"},
            "n": {"type": "string", "nullable": true, "default": "y"},
            "plain": {"type": "string"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}}},
            "map": {"type": "object", "additionalProperties": {"type": "string", "default": "d"}}}}}})
    }

    #[test]
    fn missing_values_are_filled_at_every_depth() {
        assert_eq!(run(schema(), json!({})), json!({"spec": {"a": "x", "n": "y"}}));
        assert_eq!(
            run(schema(), json!({"spec": {"a": "1", "list": [{}, {"p": "UDP"}], "map": {"k": null}}})),
            json!({"spec": {"a": "1", "n": "y", "list": [{"p": "TCP"}, {"p": "UDP"}], "map": {"k": "d"}}})
        );
    }

    #[test]
    fn nulls_stay_only_where_they_may() {
        assert_eq!(
            run(schema(), json!({"spec": {"a": null, "n": null, "plain": null}})),
            json!({"spec": {"a": "x", "n": null}})
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i8>().prop_map(Value::from),
            "[a-p]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let key = prop_oneof![
                Just("spec"),
                Just("a"),
                Just("n"),
                Just("plain"),
                Just("list"),
                Just("map"),
                Just("p"),
                Just("z")
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..5).prop_map(|members| {
                    Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn doing_it_twice_changes_nothing(object in any_json()) {
            let schema = Schema::parse(&schema());
            let mut once = object;
            super::super::prune::prune(&schema, &mut once, None);
            drop_nulls(&schema, &mut once);
            default(&schema, &mut once);
            let mut twice = once.clone();
            let mut unknown = Vec::new();
            super::super::prune::prune(&schema, &mut twice, Some(&mut unknown));
            drop_nulls(&schema, &mut twice);
            default(&schema, &mut twice);
            prop_assert_eq!(&once, &twice);
            prop_assert!(unknown.is_empty());
            super::super::validate::validate(&schema, &once, "");
        }
    }
}
