//! The scale subresource of custom resources.

use super::definition::Scale;
use chainplate_apimachinery::{Map, Status, Value, field};
use serde_json::json;

fn walk<'a>(object: &'a Value, path: &[String]) -> Result<Option<&'a Value>, String> {
    let mut value = object;
    for (index, member) in path.iter().enumerate() {
        let Some(map) = value.as_object() else {
            let before = path[..index].join(".");
            return Err(format!(
                ".{} accessor error: {value} is of the type {}, expected map[string]interface{{}}",
                before,
                go_type(value)
            ));
        };
        match map.get(member) {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

fn whole(object: &Value, path: &[String]) -> Result<Option<i64>, String> {
    match walk(object, path)? {
        None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(whole) => Ok(Some(whole)),
            None => Err(wrong(path, value, "int64")),
        },
    }
}

fn text<'a>(object: &'a Value, path: &[String]) -> Result<Option<&'a str>, String> {
    match walk(object, path)? {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| wrong(path, value, "string")),
    }
}

fn wrong(path: &[String], value: &Value, wanted: &str) -> String {
    let shown = match value {
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    };
    format!(
        ".{} accessor error: {shown} is of the type {}, expected {wanted}",
        path.join("."),
        go_type(value)
    )
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn replicas(path: &str, members: &[String], object: &Value, errors: &mut Vec<field::Error>) {
    let place = field::Path::Child(&field::Path::Root, path);
    match whole(object, members) {
        Err(why) => errors.push(field::Error::invalid(&place, 0, why)),
        Ok(Some(count)) if count < 0 => {
            errors.push(field::Error::invalid(&place, count, "should be a non-negative integer"));
        }
        Ok(Some(count)) if count > i64::from(i32::MAX) => {
            let why = format!("should be less than or equal to {}", i32::MAX);
            errors.push(field::Error::invalid(&place, count, why));
        }
        Ok(_) => {}
    }
}

/// What is wrong with the wanted replicas.
pub(super) fn validate_spec(paths: &Scale, object: &Value, errors: &mut Vec<field::Error>) {
    replicas(&paths.spec_path, &paths.spec_replicas, object, errors);
}

/// What is wrong with the observed replicas and the selector.
pub(super) fn validate_status(paths: &Scale, object: &Value, errors: &mut Vec<field::Error>) {
    replicas(&paths.status_path, &paths.status_replicas, object, errors);
    if let (Some(path), Some(members)) = (&paths.selector_path, &paths.selector)
        && let Err(why) = text(object, members)
    {
        errors.push(field::Error::invalid(&field::Path::Child(&field::Path::Root, path), "", why));
    }
}

/// The Scale of an object.
///
/// # Errors
/// 500 when a path does not lead to what it should.
pub(super) fn view(paths: &Scale, object: &Value) -> Result<Value, Status> {
    let count = |members: &[String]| whole(object, members).map_err(Status::internal);
    let mut spec = Map::new();
    // As Go: a zero is left out.
    if let Some(count) = count(&paths.spec_replicas)?.filter(|count| *count != 0) {
        spec.insert("replicas".into(), count.into());
    }
    let mut status = json!({"replicas": count(&paths.status_replicas)?.unwrap_or_default()});
    if let Some(members) = &paths.selector
        && let Some(selector) =
            text(object, members).map_err(Status::internal)?.filter(|text| !text.is_empty())
    {
        status["selector"] = selector.into();
    }
    Ok(json!({"spec": spec, "status": status}))
}

/// What is wrong with a Scale that somebody wants to write.
pub(super) fn validate(view: &Value) -> Vec<field::Error> {
    let count = view.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
    let place = field::Path::Child(&field::Path::Root, "spec");
    if count < 0 {
        return vec![field::Error::invalid(
            &place.child("replicas"),
            count,
            "must be greater than or equal to 0",
        )];
    }
    Vec::new()
}

/// Writes the wanted replicas of a Scale into the object.
///
/// # Errors
/// 400 when there are none, or when the path does not lead into an object.
pub(super) fn set(paths: &Scale, object: &mut Value, view: &Value) -> Result<(), Status> {
    let known = whole(object, &paths.spec_replicas).map_err(Status::bad_request)?;
    let count = match view.pointer("/spec/replicas").and_then(Value::as_i64) {
        Some(count) => count,
        None if known.is_some() => 0,
        None => {
            let why = format!("the spec replicas field {:?} cannot be empty", paths.spec_path);
            return Err(Status::bad_request(why));
        }
    };
    let mut value = object;
    for (index, member) in paths.spec_replicas.iter().enumerate() {
        let Some(map) = value.as_object_mut() else {
            return Err(Status::bad_request(format!("{} does not lead into an object", paths.spec_path)));
        };
        let last = index + 1 == paths.spec_replicas.len();
        let slot = map.entry(member.clone()).or_insert_with(|| json!({}));
        if last {
            *slot = count.into();
            break;
        }
        value = slot;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Scale {
        let members = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        Scale {
            spec_path: ".spec.replicas".into(),
            spec_replicas: members("spec.replicas"),
            status_path: ".status.replicas".into(),
            status_replicas: members("status.replicas"),
            selector_path: Some(".status.selector".into()),
            selector: Some(members("status.selector")),
        }
    }

    #[test]
    fn a_scale_is_made_and_written_back() {
        let mut object = json!({"spec": {"replicas": 3}, "status": {"replicas": 2, "selector": "a=b"}});
        assert_eq!(
            view(&paths(), &object).unwrap(),
            json!({"spec": {"replicas": 3}, "status": {"replicas": 2, "selector": "a=b"}})
        );
        set(&paths(), &mut object, &json!({"spec": {"replicas": 5}})).unwrap();
        assert_eq!(object["spec"]["replicas"], 5);
        let mut empty = json!({});
        assert_eq!(set(&paths(), &mut empty, &json!({"spec": {}})).unwrap_err().code(), 400);
        set(&paths(), &mut empty, &json!({"spec": {"replicas": 1}})).unwrap();
        assert_eq!(empty, json!({"spec": {"replicas": 1}}));
    }

    #[test]
    fn replicas_are_counted_within_bounds() {
        for (object, wanted) in [
            (
                json!({"spec": {"replicas": -1}}),
                ".spec.replicas: Invalid value: -1: should be a non-negative integer",
            ),
            (
                json!({"spec": {"replicas": "x"}}),
                ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: x is of the type string, expected int64",
            ),
            (
                json!({"spec": {"replicas": 3_000_000_000_i64}}),
                ".spec.replicas: Invalid value: 3000000000: should be less than or equal to 2147483647",
            ),
        ] {
            let mut errors = Vec::new();
            validate_spec(&paths(), &object, &mut errors);
            assert_eq!(errors[0].to_string(), wanted);
        }
    }
}
