//! The part of JSONPath that CRDs use: `.spec.a`, `['x']`, `[0]`, `[*]`, `[1:3]`, `..name`,
//! `[?(@.type=="Ready")]` (`k8s.io/client-go/util/jsonpath`).

use crate::Value;

/// A compiled path.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Member(String),
    /// A negative index counts from the end.
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    Every,
    Descend,
    Filter(Vec<Step>, Option<(Comparison, Value)>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl JsonPath {
    /// Compiles a path; the braces of kubectl's templates are not part of it.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut parser = Parser { source, rest: source };
        let steps = parser.steps()?;
        if parser.rest.is_empty() { Ok(Self(steps)) } else { Err(parser.wrong()) }
    }

    /// The plain members of a path such as `.spec.replicas`, if it is one.
    pub fn members(&self) -> Option<Vec<&str>> {
        if !self.0.iter().all(|step| matches!(step, Step::Member(_))) {
            return None;
        }
        Some(
            self.0
                .iter()
                .filter_map(|step| match step {
                    Step::Member(name) => Some(name.as_str()),
                    _ => None,
                })
                .collect(),
        )
    }

    /// All values that the path leads to. Missing members lead nowhere.
    pub fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        walk(&self.0, vec![value])
    }
}

fn walk<'a>(steps: &[Step], mut values: Vec<&'a Value>) -> Vec<&'a Value> {
    for step in steps {
        let mut next = Vec::with_capacity(values.len());
        for value in values {
            match (step, value) {
                (Step::Member(name), Value::Object(object)) => next.extend(object.get(name)),
                (Step::Index(index), Value::Array(items)) => {
                    next.extend(position(*index, items.len()).and_then(|index| items.get(index)));
                }
                (Step::Slice(from, to), Value::Array(items)) => {
                    let from = from.map_or(0, |from| position(from, items.len()).unwrap_or(items.len()));
                    let to = to.map_or(items.len(), |to| position(to, items.len()).unwrap_or(items.len()));
                    next.extend(items.iter().take(to.min(items.len())).skip(from));
                }
                (Step::Every, Value::Array(items)) => next.extend(items),
                (Step::Every, Value::Object(object)) => next.extend(object.values()),
                (Step::Descend, value) => descend(value, &mut next),
                (Step::Filter(path, comparison), Value::Array(items)) => {
                    next.extend(items.iter().filter(|item| passes(path, comparison.as_ref(), item)));
                }
                _ => {}
            }
        }
        values = next;
    }
    values
}

fn position(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(index).ok()
}

fn descend<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| descend(item, found)),
        Value::Object(object) => object.values().for_each(|member| descend(member, found)),
        _ => {}
    }
}

fn passes(path: &[Step], comparison: Option<&(Comparison, Value)>, item: &Value) -> bool {
    let found = walk(path, vec![item]);
    let Some((comparison, wanted)) = comparison else { return !found.is_empty() };
    let Some(found) = found.first() else { return false };
    let order = match (found, wanted) {
        (Value::Number(left), Value::Number(right)) => {
            left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right))
        }
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    };
    match (comparison, order) {
        (_, None) => false,
        (Comparison::Equal, Some(order)) => order.is_eq(),
        (Comparison::NotEqual, Some(order)) => order.is_ne(),
        (Comparison::Less, Some(order)) => order.is_lt(),
        (Comparison::LessOrEqual, Some(order)) => order.is_le(),
        (Comparison::Greater, Some(order)) => order.is_gt(),
        (Comparison::GreaterOrEqual, Some(order)) => order.is_ge(),
    }
}

struct Parser<'a> {
    source: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn wrong(&self) -> String {
        format!("unrecognized character in path {:?} at {:?}", self.source, self.rest)
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.eat(text) { Ok(()) } else { Err(self.wrong()) }
    }

    /// Steps until something that is none.
    fn steps(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        self.eat("$");
        loop {
            if self.eat("..") {
                steps.push(Step::Descend);
                if !self.rest.starts_with('[') {
                    steps.push(self.member()?);
                }
            } else if self.eat(".") {
                if !self.rest.is_empty() && !self.rest.starts_with('[') {
                    steps.push(self.member()?);
                }
            } else if self.eat("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(steps);
            }
        }
    }

    fn member(&mut self) -> Result<Step, String> {
        if self.eat("*") {
            return Ok(Step::Every);
        }
        let mut name = String::new();
        let mut characters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
                '.' | '[' | ']' | ')' | ' ' | '=' | '!' | '<' | '>' | '}' | '{' | '|' | ',' => {
                    end = at;
                    break;
                }
                other => name.push(other),
            }
        }
        self.rest = self.rest.get(end..).unwrap_or_default();
        if name.is_empty() { Err(self.wrong()) } else { Ok(Step::Member(name)) }
    }

    fn bracket(&mut self) -> Result<Step, String> {
        if self.eat("*") {
            self.expect("]")?;
            return Ok(Step::Every);
        }
        if self.eat("?(") {
            self.eat_spaces();
            self.expect("@")?;
            let path = self.steps()?;
            self.eat_spaces();
            let mut comparison = None;
            for (text, kind) in [
                ("==", Comparison::Equal),
                ("!=", Comparison::NotEqual),
                ("<=", Comparison::LessOrEqual),
                (">=", Comparison::GreaterOrEqual),
                ("<", Comparison::Less),
                (">", Comparison::Greater),
            ] {
                if self.eat(text) {
                    self.eat_spaces();
                    comparison = Some((kind, self.literal()?));
                    break;
                }
            }
            self.eat_spaces();
            self.expect(")]")?;
            return Ok(Step::Filter(path, comparison));
        }
        if self.rest.starts_with(['\'', '"']) {
            let name = self.literal()?;
            self.expect("]")?;
            return Ok(Step::Member(name.as_str().unwrap_or_default().to_owned()));
        }
        let Some((inside, rest)) = self.rest.split_once(']') else {
            return Err(format!("unterminated array in path {:?}", self.source));
        };
        let number = |text: &str| -> Result<Option<i64>, String> {
            match text.trim() {
                "" => Ok(None),
                text => text.parse().map(Some).map_err(|_| format!("invalid array index {inside}")),
            }
        };
        let step = match inside.split_once(':') {
            Some((from, to)) => Step::Slice(number(from)?, number(to)?),
            None => match number(inside)? {
                Some(index) => Step::Index(index),
                None => return Err(format!("invalid array index {inside}")),
            },
        };
        self.rest = rest;
        Ok(step)
    }

    fn eat_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn literal(&mut self) -> Result<Value, String> {
        if let Some(quote) = self.rest.chars().next().filter(|first| matches!(first, '\'' | '"')) {
            let mut text = String::new();
            let mut characters = self.rest.char_indices().skip(1);
            while let Some((at, character)) = characters.next() {
                if character == quote {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(text.into());
                }
                match character {
                    '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                    other => text.push(other),
                }
            }
            return Err(format!("unterminated quoted string in path {:?}", self.source));
        }
        let end = self.rest.find([')', ' ']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        serde_json::from_str(word).map_err(|_| format!("cannot read {word:?} in path {:?}", self.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_where_they_should() {
        let value = json!({"spec": {"a": 1, "list": ["x", "y", "z"], "x.y": true, "conditions": [
            {"type": "Other", "status": "F"}, {"type": "Ready", "status": "True", "n": 3}]}});
        for (path, wanted) in [
            (".spec.a", json!([1])),
            ("$.spec.a", json!([1])),
            (".spec['a']", json!([1])),
            (".spec['x.y']", json!([true])),
            (r".spec.x\.y", json!([true])),
            (".spec.list[0]", json!(["x"])),
            (".spec.list[-1]", json!(["z"])),
            (".spec.list[1:]", json!(["y", "z"])),
            (".spec.list[0:2]", json!(["x", "y"])),
            (".spec.list[*]", json!(["x", "y", "z"])),
            (".spec.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
            (".spec.conditions[?(@.type=='Ready')].status", json!(["True"])),
            (".spec.conditions[?(@.n > 2)].status", json!(["True"])),
            (".spec.conditions[?(@.n)].status", json!(["True"])),
            ("..status", json!(["F", "True"])),
            (".nope.a", json!([])),
        ] {
            let found: Vec<Value> =
                JsonPath::parse(path).unwrap().find(&value).into_iter().cloned().collect();
            assert_eq!(Value::from(found), wanted, "{path}");
        }
        assert_eq!(JsonPath::parse(".spec.a").unwrap().members().unwrap(), ["spec", "a"]);
        assert!(JsonPath::parse(".spec.list[0]").unwrap().members().is_none());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [".spec.x[", ".spec.x[a]", ".a[?(@.b==)]", ".a['b]", ".a b", "..", "a"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
