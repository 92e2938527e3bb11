//! Label selectors: `app=web,tier in (front,back),!legacy` (`apimachinery/pkg/labels/selector.go`).

use super::{ParseError, scan};
use crate::{
    Value,
    field::{self, Path},
    names,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How a requirement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key in (a,b)`, and `key=a`, `key==a` with one value.
    In,
    /// `key notin (a,b)` and `key!=a`; an object without the key matches, too.
    NotIn,
    /// `key`.
    Exists,
    /// `!key`.
    DoesNotExist,
    /// `key>5`: the label is an integer above the value.
    GreaterThan,
    /// `key<5`.
    LessThan,
}

/// One term of a label selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// The comparison.
    pub operator: Operator,
    /// The values, sorted, each once; none for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

impl Requirement {
    /// Whether a label with this value (or no such label) fulfils the requirement.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let has = |value: &str| self.values.iter().any(|one| one == value);
        match (self.operator, value) {
            (Operator::In, Some(value)) => has(value),
            (Operator::NotIn, Some(value)) => !has(value),
            (Operator::Exists, value) => value.is_some(),
            (Operator::NotIn | Operator::DoesNotExist, value) => value.is_none(),
            (Operator::GreaterThan, Some(value)) => {
                self.compare(value).is_some_and(|(label, bound)| label > bound)
            }
            (Operator::LessThan, Some(value)) => {
                self.compare(value).is_some_and(|(label, bound)| label < bound)
            }
            (Operator::In | Operator::GreaterThan | Operator::LessThan, None) => false,
        }
    }

    fn compare(&self, value: &str) -> Option<(i64, i64)> {
        Some((integer(value)?, integer(self.values.first()?)?))
    }
}

/// Requirements that all must hold; none of them selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// Parses `labelSelector`.
    ///
    /// # Errors
    /// The text that upstream answers with a 400.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Parser::new(text).parse().map(|requirements| Self { requirements }).map_err(ParseError)
    }

    /// Reads a `metav1.LabelSelector` (`LabelSelectorAsSelector`); an empty one selects everything.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(selector: &Value) -> Result<Self, String> {
        let written: Structured =
            Structured::deserialize(selector).map_err(|error| format!("not a label selector: {error}"))?;
        let mut requirements = Vec::new();
        for (key, value) in written.match_labels {
            requirements.push(Requirement { key, operator: Operator::In, values: vec![value] });
        }
        for mut term in written.match_expressions {
            let operator = match term.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(format!("{other:?} is not a valid label selector operator")),
            };
            let wants_values = matches!(operator, Operator::In | Operator::NotIn);
            if wants_values == term.values.is_empty() {
                let must = if wants_values { "must name values" } else { "takes no values" };
                return Err(format!("the operator {:?} of {:?} {must}", term.operator, term.key));
            }
            term.values.sort_unstable();
            term.values.dedup();
            requirements.push(Requirement { key: term.key, operator, values: term.values });
        }
        match requirements
            .iter()
            .find_map(|it| names::qualified_name(&it.key).into_iter().next().map(|why| (it, why)))
        {
            Some((requirement, why)) => Err(format!("key {:?}: {why}", requirement.key)),
            None => {
                requirements.sort_by(|left, right| left.key.cmp(&right.key));
                Ok(Self { requirements })
            }
        }
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Its terms.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether labels fulfil every requirement.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(label(&requirement.key)))
    }

    /// Whether an encoded `metadata` object has labels that fulfil every requirement.
    pub fn matches_metadata(&self, metadata: &[u8]) -> bool {
        if self.requirements.is_empty() {
            return true;
        }
        let labels = scan::member(metadata, "labels").unwrap_or(b"{}");
        self.requirements.iter().all(|requirement| {
            let value = scan::member(labels, &requirement.key).and_then(scan::string);
            requirement.matches(value.as_deref())
        })
    }
}

/// `metav1.LabelSelector`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Structured {
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
    #[serde(default)]
    match_expressions: Vec<Term>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    key: String,
    operator: String,
    #[serde(default)]
    values: Vec<String>,
}

/// Go's `strconv.ParseInt(s, 10, 64)`.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Error,
    End,
    Close,
    Comma,
    Not,
    DoubleEquals,
    Equals,
    Greater,
    Identifier,
    In,
    Less,
    NotEquals,
    NotIn,
    Open,
}

const SYMBOLS: [(&str, Token); 9] = [
    (")", Token::Close),
    (",", Token::Comma),
    ("!", Token::Not),
    ("==", Token::DoubleEquals),
    ("=", Token::Equals),
    (">", Token::Greater),
    ("<", Token::Less),
    ("!=", Token::NotEquals),
    ("(", Token::Open),
];

fn symbol(text: &str) -> Option<Token> {
    SYMBOLS.iter().find(|(literal, _)| *literal == text).map(|(_, token)| *token)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const fn is_symbol(byte: u8) -> bool {
    matches!(byte, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<')
}

/// The tokens of `text`, `End` last. A NUL byte ends the text, as upstream's lexer has it.
fn tokens(text: &str) -> Vec<(Token, String)> {
    let text = text.split('\0').next().unwrap_or_default();
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if is_blank(bytes[at]) {
            at += 1;
        } else if is_symbol(bytes[at]) {
            let run = bytes[at..].iter().take_while(|byte| is_symbol(**byte)).count();
            // The longest operator that the run starts with. Every symbol is an operator or starts one, and none
            // has more than two.
            let two = text.get(at..at + 2).filter(|_| run >= 2).and_then(symbol);
            let length = if two.is_some() { 2 } else { 1 };
            let literal = &text[at..at + length];
            out.push((two.or_else(|| symbol(literal)).unwrap_or(Token::Error), literal.to_owned()));
            at += length;
        } else {
            let length =
                bytes[at..].iter().take_while(|byte| !is_blank(**byte) && !is_symbol(**byte)).count();
            let literal = &text[at..at + length];
            let token = match literal {
                "in" => Token::In,
                "notin" => Token::NotIn,
                _ => Token::Identifier,
            };
            out.push((token, literal.to_owned()));
            at += length;
        }
    }
    out.push((Token::End, String::new()));
    out
}

struct Parser {
    tokens: Vec<(Token, String)>,
    at: usize,
}

impl Parser {
    fn new(text: &str) -> Self {
        Self { tokens: tokens(text), at: 0 }
    }

    /// The token in hand, with `in` and `notin` as plain words.
    fn peek(&self) -> (Token, &str) {
        let (token, literal) = self.peek_operator();
        (if matches!(token, Token::In | Token::NotIn) { Token::Identifier } else { token }, literal)
    }

    fn peek_operator(&self) -> (Token, &str) {
        self.tokens.get(self.at).map_or((Token::End, ""), |(token, literal)| (*token, literal))
    }

    fn take(&mut self) -> (Token, String) {
        let (token, literal) = self.peek();
        let taken = (token, literal.to_owned());
        self.at += 1;
        taken
    }

    fn parse(mut self) -> Result<Vec<Requirement>, String> {
        let mut out = Vec::new();
        loop {
            match self.peek() {
                (Token::Identifier | Token::Not, _) => {
                    let requirement =
                        self.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?;
                    out.push(requirement);
                    match self.take() {
                        (Token::End, _) => break,
                        (Token::Comma, _) => {
                            let (token, literal) = self.peek();
                            if !matches!(token, Token::Identifier | Token::Not) {
                                return Err(format!("found '{literal}', expected: identifier after ','"));
                            }
                        }
                        (_, literal) => {
                            return Err(format!("found '{literal}', expected: ',' or 'end of string'"));
                        }
                    }
                }
                (Token::End, _) => break,
                (_, literal) => {
                    return Err(format!("found '{literal}', expected: !, identifier, or 'end of string'"));
                }
            }
        }
        out.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(out)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let (mut token, mut key) = self.take();
        let absent = token == Token::Not;
        if absent {
            (token, key) = self.take();
        }
        if token != Token::Identifier {
            return Err(format!("found '{key}', expected: identifier"));
        }
        if let Some(why) = key_fault(&key) {
            // Upstream prints the path of the key, which is nil here.
            let mut error = field::Error::invalid(&Path::Root, key.as_str(), why);
            error.field = "<nil>".to_owned();
            return Err(error.to_string());
        }
        if absent {
            return Ok(Requirement { key, operator: Operator::DoesNotExist, values: Vec::new() });
        }
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(Requirement { key, operator: Operator::Exists, values: Vec::new() });
        }
        let (token, literal) = self.peek_operator();
        let operator = match token {
            Token::In | Token::Equals | Token::DoubleEquals => Operator::In,
            Token::NotIn | Token::NotEquals => Operator::NotIn,
            Token::Greater => Operator::GreaterThan,
            Token::Less => Operator::LessThan,
            _ => return Err(format!("found '{literal}', expected: in, notin, =, ==, !=, gt, lt")),
        };
        self.at += 1;
        let mut values =
            if matches!(token, Token::In | Token::NotIn) { self.values()? } else { self.value()? };
        values.sort_unstable();
        values.dedup();
        let requirement = Requirement { key, operator, values };
        check_values(&requirement)?;
        Ok(requirement)
    }

    /// `(a,b)`
    fn values(&mut self) -> Result<Vec<String>, String> {
        let (token, literal) = self.take();
        if token != Token::Open {
            return Err(format!("found '{literal}' expected: '('"));
        }
        match self.peek() {
            (Token::Identifier | Token::Comma, _) => {
                let values = self.list()?;
                self.at += 1;
                Ok(values)
            }
            (Token::Close, _) => {
                self.at += 1;
                Ok(vec![String::new()])
            }
            (_, literal) => Err(format!("found '{literal}', expected: ',', ')' or identifier")),
        }
    }

    /// The values up to the closing parenthesis; an empty place is an empty value.
    fn list(&mut self) -> Result<Vec<String>, String> {
        let mut values = Vec::new();
        loop {
            match self.take() {
                (Token::Identifier, literal) => {
                    values.push(literal);
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(values),
                        (_, literal) => return Err(format!("found '{literal}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        values.push(String::new());
                    }
                    match self.peek().0 {
                        Token::Close => {
                            values.push(String::new());
                            return Ok(values);
                        }
                        Token::Comma => values.push(String::new()),
                        _ => {}
                    }
                }
                (_, literal) => return Err(format!("found '{literal}', expected: ',', or identifier")),
            }
        }
    }

    /// The one value of an exact match, which may be empty.
    fn value(&mut self) -> Result<Vec<String>, String> {
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(vec![String::new()]);
        }
        match self.take() {
            (Token::Identifier, literal) => Ok(vec![literal]),
            (_, literal) => Err(format!("found '{literal}', expected: identifier")),
        }
    }
}

fn check_values(requirement: &Requirement) -> Result<(), String> {
    let place = Path::Root.child("values");
    let mut errors = Vec::new();
    if matches!(requirement.operator, Operator::GreaterThan | Operator::LessThan) {
        for (index, value) in requirement.values.iter().enumerate() {
            if integer(value).is_none() {
                let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                errors.push(field::Error::invalid(&place.index(index), value.as_str(), why));
            }
        }
    }
    for (index, value) in requirement.values.iter().enumerate() {
        if let Some(why) = value_fault(value) {
            errors.push(field::Error::invalid(
                &place.index(index).key(&requirement.key),
                value.as_str(),
                why,
            ));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(field::aggregate(&errors)) }
}

/// What is wrong with a value, in one text.
fn value_fault(value: &str) -> Option<String> {
    let faults = names::label_value(value);
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// What is wrong with a key, in one text.
fn key_fault(key: &str) -> Option<String> {
    let faults = names::qualified_name(key);
    (!faults.is_empty()).then(|| faults.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structured_selector_is_the_same_as_its_text() {
        let written = serde_json::json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["b", "a"]}, {"key": "old", "operator": "DoesNotExist"},
        ]});
        let read = LabelSelector::from_json(&written).unwrap();
        assert_eq!(read, LabelSelector::parse("app=web,tier notin (a,b),!old").unwrap());
        assert!(LabelSelector::from_json(&serde_json::json!({})).unwrap().is_empty());
        for (wrong, part) in [
            (serde_json::json!({"matchExpressions": [{"key": "a", "operator": "In"}]}), "must name values"),
            (
                serde_json::json!({"matchExpressions": [{"key": "a", "operator": "Like"}]}),
                "not a valid label selector operator",
            ),
            (serde_json::json!({"matchLabels": {"a b": "c"}}), "key \"a b\""),
            (serde_json::json!({"labels": {}}), "labels"),
        ] {
            let told = LabelSelector::from_json(&wrong).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
    }

    fn fault(text: &str) -> String {
        LabelSelector::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn errors_are_told_in_upstreams_words() {
        let cases = [
            ("a=b=c", "found '=', expected: ',' or 'end of string'"),
            ("a in", "unable to parse requirement: found '' expected: '('"),
            ("a in (x", "unable to parse requirement: found '', expected: ',' or ')'"),
            (
                "a>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
            ("!a=b", "found '=', expected: ',' or 'end of string'"),
            (
                "/x",
                "unable to parse requirement: <nil>: Invalid value: \"/x\": prefix part must be non-empty",
            ),
            (",", "found ',', expected: !, identifier, or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            ("x like y", "unable to parse requirement: found 'like', expected: in, notin, =, ==, !=, gt, lt"),
            ("a=)", "unable to parse requirement: found ')', expected: identifier"),
            ("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ];
        for (text, want) in cases {
            assert_eq!(fault(text), want, "{text}");
        }
        assert!(fault("-bad=x").starts_with(
            "unable to parse requirement: <nil>: Invalid value: \"-bad\": name part must consist"
        ));
        assert!(fault("a=-bad-").starts_with(
            "unable to parse requirement: values[0][a]: Invalid value: \"-bad-\": a valid label must"
        ));
    }

    #[test]
    fn requirements_select_by_encoded_labels() {
        let metadata = br#"{"resourceVersion":"1","annotations":{"labels":"{"},"labels":{"tier":"front","size":"3","e":""}}"#;
        let cases = [
            ("", true),
            ("tier=front", true),
            ("tier==front,size=3", true),
            ("tier!=front", false),
            ("other!=front", true),
            ("tier in (back,front)", true),
            ("tier notin (back)", true),
            ("tier in ()", false),
            ("e in ()", true),
            ("e=", true),
            ("tier", true),
            ("!tier", false),
            ("!other", true),
            ("size>2", true),
            ("size>3", false),
            ("size<4", true),
            ("tier>1", false),
            ("other<4", false),
            (" tier in ( ,front ) ", true),
            ("in in (in,notin)", false),
        ];
        for (text, want) in cases {
            let selector = LabelSelector::parse(text).expect(text);
            assert_eq!(selector.matches_metadata(metadata), want, "{text}");
        }
        assert!(!LabelSelector::parse("a").expect("valid").matches_metadata(b"{}"));
    }
}
