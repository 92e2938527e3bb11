//! Regular expressions in the syntax of RE2, as schemas have them.

use regex_lite::Regex;
use std::sync::OnceLock;

/// A `pattern`, compiled when it is first needed.
#[derive(Debug)]
pub struct Pattern {
    source: String,
    compiled: OnceLock<Result<Regex, String>>,
}

impl Clone for Pattern {
    fn clone(&self) -> Self {
        Self::new(&self.source)
    }
}

impl Pattern {
    /// Keeps an expression for later.
    pub fn new(source: &str) -> Self {
        Self { source: source.to_owned(), compiled: OnceLock::new() }
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the expression is found in the text.
    ///
    /// # Errors
    /// Why the expression cannot be used.
    pub fn is_match(&self, text: &str) -> Result<bool, &str> {
        match self.compiled.get_or_init(|| compile(&self.source)) {
            Ok(regex) => Ok(regex.is_match(text)),
            Err(why) => Err(why),
        }
    }
}

/// Compiles an expression in RE2 syntax.
///
/// # Errors
/// Why it is not one, or that it uses what only the full RE2 knows (Unicode classes, `\Q…\E`, `\C`).
pub fn compile(source: &str) -> Result<Regex, String> {
    if let Some(class) = ["\\p", "\\P", "\\Q", "\\C"].iter().find(|class| has_escape(source, class)) {
        return Err(format!("error parsing regexp: `{class}` is not supported by this server: `{source}`"));
    }
    Regex::new(&translate(source)).map_err(|error| format!("error parsing regexp: {error}: `{source}`"))
}

fn has_escape(source: &str, escape: &str) -> bool {
    let mut rest = source.chars();
    while let Some(character) = rest.next() {
        if character == '\\' && rest.next() == escape.chars().nth(1) {
            return true;
        }
    }
    false
}

/// Inside of a bracket expression RE2 takes `[`, `&&`, `--` and `~~` literally, where the engine used here has
/// operators of its own.
fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 8);
    let mut rest = source.chars().peekable();
    let mut inside = false;
    // A `]` that follows `[` or `[^` at once is a member of the class.
    let mut first = false;
    while let Some(character) = rest.next() {
        match character {
            '\\' => {
                out.push('\\');
                if let Some(next) = rest.next() {
                    out.push(next);
                }
                first = false;
                continue;
            }
            '[' if !inside => {
                inside = true;
                first = true;
                out.push('[');
                if rest.peek() == Some(&'^') {
                    rest.next();
                    out.push('^');
                }
                continue;
            }
            '[' if rest.peek() == Some(&':') => {
                // A POSIX class, `[:alpha:]`.
                out.push('[');
                for next in rest.by_ref() {
                    out.push(next);
                    if next == ']' {
                        break;
                    }
                }
            }
            '[' => out.push_str("\\["),
            ']' if inside && first => out.push_str("\\]"),
            ']' if inside => {
                inside = false;
                out.push(']');
            }
            '&' | '~' if inside => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
        first = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_mean_what_re2_takes_them_for() {
        for (source, text, found) in [
            ("^[a[b]+$", "a[b", true),
            ("^[]a]$", "]", true),
            ("^[^]a]$", "]", false),
            ("^[[:alpha:]]+$", "abc", true),
            ("^[[:alpha:]]+$", "a1", false),
            ("^[&&a]+$", "a&", true),
            (r"^\[a\]$", "[a]", true),
            ("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "a-b", true),
            (r"^(?i)abc$", "ABC", true),
            (r"^\d{3}-\w+\/x$", "123-ab/x", true),
        ] {
            let regex = compile(source).unwrap();
            assert_eq!(regex.is_match(text), found, "{source} on {text}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        assert!(compile("(").unwrap_err().starts_with("error parsing regexp"));
        assert!(compile(r"\pL").unwrap_err().contains("not supported"));
    }
}
