//! Field selectors: `metadata.name=x,status.phase!=Running` (`apimachinery/pkg/fields/selector.go`).

use super::ParseError;

/// One term of a field selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldRequirement {
    /// The label of the field, `status.phase`.
    pub label: String,
    /// The value to compare with.
    pub value: String,
    /// Whether the field must equal the value, or must not.
    pub equal: bool,
}

/// Terms that all must hold; none of them selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

impl FieldSelector {
    /// Parses `fieldSelector`. Which labels there are is for the caller to check.
    ///
    /// # Errors
    /// The text that upstream answers with a 400.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut parts = terms(text);
        parts.sort_unstable();
        let mut requirements = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let (label, equal, value) = split(part).ok_or_else(|| {
                ParseError(format!("invalid selector: '{text}'; can't understand '{part}'"))
            })?;
            requirements.push(FieldRequirement { label: label.to_owned(), value: unescape(value)?, equal });
        }
        // Upstream drops terms that say nothing.
        requirements.retain(|term| !(term.label.is_empty() && term.value.is_empty()));
        Ok(Self { requirements })
    }

    /// The selector of one object by its name.
    pub fn by_name(name: &str) -> Self {
        let term = FieldRequirement { label: "metadata.name".into(), value: name.into(), equal: true };
        Self { requirements: vec![term] }
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Its terms.
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// The value that the field must have, if the selector wants exactly one.
    pub fn exact(&self, label: &str) -> Option<&str> {
        self.requirements
            .iter()
            .find(|term| term.equal && term.label == label)
            .map(|term| term.value.as_str())
    }

    /// Whether `value`, asked for each term, fulfils all of them.
    pub fn matches<V: AsRef<str>>(&self, value: impl Fn(&str) -> V) -> bool {
        self.requirements.iter().all(|term| (value(&term.label).as_ref() == term.value) == term.equal)
    }
}

/// The terms between commas that are not escaped.
fn terms(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                out.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[start..]);
    out
}

fn split(term: &str) -> Option<(&str, bool, &str)> {
    for (at, _) in term.char_indices() {
        let rest = &term[at..];
        for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
            if let Some(value) = rest.strip_prefix(operator) {
                return Some((&term[..at], equal, value));
            }
        }
    }
    None
}

fn unescape(value: &str) -> Result<String, ParseError> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => out.push(escaped),
                other => {
                    let rest = other.map(String::from).unwrap_or_default();
                    return Err(ParseError(format!(
                        "invalid field selector: invalid escape sequence: \\{rest}"
                    )));
                }
            },
            ',' | '=' => {
                let code = u32::from(char);
                return Err(ParseError(format!(
                    "invalid field selector: unescaped character in value: {code}"
                )));
            }
            _ => out.push(char),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_parsed_and_unescaped() {
        let selector = FieldSelector::parse(r"b!=x\,y,a==1\=2,,c=").expect("valid");
        let got: Vec<_> = selector
            .requirements()
            .iter()
            .map(|term| (term.label.as_str(), term.equal, term.value.as_str()))
            .collect();
        assert_eq!(got, [("a", true, "1=2"), ("b", false, "x,y"), ("c", true, "")]);
        assert_eq!(selector.exact("a"), Some("1=2"));
        assert_eq!(selector.exact("b"), None);
    }

    #[test]
    fn errors_are_told_in_upstreams_words() {
        let cases = [
            ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
            (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
            (r"a=\", r"invalid field selector: invalid escape sequence: \"),
        ];
        for (text, want) in cases {
            assert_eq!(FieldSelector::parse(text).expect_err(text).to_string(), want);
        }
    }

    #[test]
    fn every_term_must_hold() {
        let selector = FieldSelector::parse("a=1,b!=2").expect("valid");
        assert!(selector.matches(|label| if label == "a" { "1" } else { "3" }));
        assert!(!selector.matches(|label| if label == "a" { "1" } else { "2" }));
        assert!(FieldSelector::default().matches(|_| ""));
    }
}
