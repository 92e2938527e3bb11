//! YAML as Go writes it (`sigs.k8s.io/yaml` over go-yaml v2), so that answers compare equal byte by byte.

mod order;
mod scalar;

use scalar::Style;
use serde_json::{Map, Value};

/// The column behind which a scalar is folded at the next blank.
const WIDTH: usize = 80;
/// The longest key that stands on one line with its value, in bytes.
const SIMPLE_KEY_MAX: usize = 128;

/// Writes a JSON document as YAML.
///
/// # Errors
/// If `json` is not JSON.
pub fn from_json(json: &[u8]) -> Result<String, serde_json::Error> {
    let value: Value = serde_json::from_slice(json)?;
    let mut writer = Writer { out: String::with_capacity(json.len() + json.len() / 4), column: 0 };
    match &value {
        Value::Object(map) if !map.is_empty() => writer.map(map, 0, true),
        Value::Array(items) if !items.is_empty() => writer.list(items, 0, true),
        leaf => writer.leaf(leaf, 2, false),
    }
    if writer.column > 0 {
        writer.out.push('\n');
    }
    Ok(writer.out)
}

struct Writer {
    out: String,
    /// Characters in the line so far.
    column: usize,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn char(&mut self, char: char) {
        self.out.push(char);
        self.column += 1;
    }

    fn line(&mut self, indent: usize) {
        if self.column > 0 {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// `inline`: the first key stands where the writer is, behind a dash or at the start of the document.
    fn map(&mut self, map: &Map<String, Value>, indent: usize, mut inline: bool) {
        let mut members: Vec<_> = map.iter().collect();
        members.sort_by(|(a, _), (b, _)| order::natural(a, b));
        for (key, value) in members {
            if !std::mem::take(&mut inline) {
                self.line(indent);
            }
            if key.len() <= SIMPLE_KEY_MAX && !key.contains('\n') {
                self.string(key, indent + 2, true);
            } else {
                self.text("? ");
                self.string(key, indent + 2, false);
                self.line(indent);
            }
            self.char(':');
            match value {
                Value::Object(map) if !map.is_empty() => self.map(map, indent + 2, false),
                // Lists stand under their key without an indent.
                Value::Array(items) if !items.is_empty() => self.list(items, indent, false),
                leaf => {
                    self.char(' ');
                    self.leaf(leaf, indent + 2, false);
                }
            }
        }
    }

    fn list(&mut self, items: &[Value], indent: usize, mut inline: bool) {
        for item in items {
            if !std::mem::take(&mut inline) {
                self.line(indent);
            }
            self.text("- ");
            match item {
                Value::Object(map) if !map.is_empty() => self.map(map, indent + 2, true),
                Value::Array(items) if !items.is_empty() => self.list(items, indent + 2, true),
                leaf => self.leaf(leaf, indent + 2, false),
            }
        }
    }

    fn leaf(&mut self, value: &Value, indent: usize, key: bool) {
        match value {
            Value::Null => self.text("null"),
            Value::Bool(true) => self.text("true"),
            Value::Bool(false) => self.text("false"),
            Value::Number(number) => self.text(&scalar::number(number)),
            Value::String(text) => self.string(text, indent, key),
            Value::Array(_) => self.text("[]"),
            Value::Object(_) => self.text("{}"),
        }
    }

    /// `indent` is that of the lines that a folded scalar goes on with.
    fn string(&mut self, text: &str, indent: usize, key: bool) {
        match scalar::style(text, key) {
            Style::Plain => self.folded(text, indent, key, false),
            Style::Single => {
                self.char('\'');
                self.folded(text, indent, key, true);
                self.char('\'');
            }
            Style::Double => self.double(text, indent, key),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn folded(&mut self, text: &str, indent: usize, key: bool, quoted: bool) {
        let mut blanks = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            if char == ' ' {
                let inside = !quoted || (at > 0 && at + 1 < text.len());
                let single = chars.peek().is_none_or(|(_, next)| *next != ' ');
                if !key && !blanks && self.column > WIDTH && inside && single {
                    self.line(indent);
                } else {
                    self.char(' ');
                }
                blanks = true;
                continue;
            }
            if quoted && char == '\'' {
                self.char('\'');
            }
            self.char(char);
            blanks = false;
        }
    }

    fn double(&mut self, text: &str, indent: usize, key: bool) {
        self.char('"');
        let mut blanks = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            if char == ' ' {
                if !key && !blanks && self.column > WIDTH && at > 0 && at + 1 < text.len() {
                    self.line(indent);
                    if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.char('\\');
                    }
                } else {
                    self.char(' ');
                }
                blanks = true;
                continue;
            }
            match scalar::escape(char) {
                Some(escaped) => self.text(&escaped),
                None => self.char(char),
            }
            blanks = false;
        }
        self.char('"');
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.char('|');
        if text.starts_with([' ', '\n']) {
            self.char('2');
        }
        if !text.ends_with('\n') {
            self.char('-');
        } else if text == "\n" || text.ends_with("\n\n") {
            self.char('+');
        }
        let body = text.strip_suffix('\n').unwrap_or(text);
        for line in body.split('\n') {
            self.out.push('\n');
            self.column = 0;
            if !line.is_empty() {
                self.out.extend(std::iter::repeat_n(' ', indent));
                self.text(line);
                self.column += indent;
            }
        }
        // A line break waits even behind an empty line.
        self.column = self.column.max(1);
    }
}

#[cfg(test)]
mod tests;
