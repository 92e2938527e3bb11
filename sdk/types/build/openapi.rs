//! Reads the schemas in k8s-openapi's source: one type a file, its schema as a `json_schema!` literal.

use std::{collections::BTreeMap, fs, path::Path};

/// A definition: `io.k8s.api.core.v1.Pod`.
#[derive(Debug, Default)]
pub(crate) struct Definition {
    pub(crate) description: String,
    /// In the order of their names; empty unless the type is an object with members.
    pub(crate) properties: Vec<(String, Schema)>,
    pub(crate) required: Vec<String>,
    /// (group, version, kind) of a type that is served.
    pub(crate) kind: Option<(String, String, String)>,
}

/// The schema of a member.
#[derive(Debug, Default, Clone)]
pub(crate) struct Schema {
    pub(crate) description: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    /// The name of another definition.
    pub(crate) reference: String,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) values: Option<Box<Schema>>,
}

pub(crate) fn read(root: &Path) -> Result<BTreeMap<String, Definition>, String> {
    let mut definitions = BTreeMap::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(folder) = pending.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text =
                    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                if let Some((name, definition)) =
                    definition(&text).map_err(|error| format!("{}: {error}", path.display()))?
                {
                    definitions.insert(name, definition);
                }
            }
        }
    }
    if definitions.len() < 500 {
        return Err(format!("only {} definitions below {}", definitions.len(), root.display()));
    }
    Ok(definitions)
}

fn definition(text: &str) -> Result<Option<(String, Definition)>, String> {
    let Some(at) = text.find("fn schema_name()") else { return Ok(None) };
    let Some(name) = text[at..].split('"').nth(1) else { return Ok(None) };
    let Some(start) = text[at..].find("json_schema!(") else { return Ok(None) };
    let mut parser = Parser { text: &text[at + start + "json_schema!(".len()..] };
    let value = parser.value()?;
    let mut definition = Definition { kind: served(text), ..Definition::default() };
    if let Node::Object(members) = value {
        for (key, node) in members {
            match (key.as_str(), node) {
                ("description", Node::Text(text)) => definition.description = text,
                ("properties", Node::Object(list)) => {
                    definition.properties =
                        list.into_iter().map(|(name, node)| (name, schema(node))).collect();
                }
                ("required", Node::List(list)) => {
                    definition.required = list
                        .into_iter()
                        .filter_map(|node| if let Node::Text(text) = node { Some(text) } else { None })
                        .collect();
                }
                _ => {}
            }
        }
    }
    definition.properties.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Some((name.to_owned(), definition)))
}

/// The constants of `impl Resource`.
fn served(text: &str) -> Option<(String, String, String)> {
    let constant = |name: &str| {
        let at = text.find(&format!("const {name}: &'static str = \""))?;
        text[at..].split('"').nth(1).map(str::to_owned)
    };
    Some((constant("GROUP")?, constant("VERSION")?, constant("KIND")?))
}

fn schema(node: Node) -> Schema {
    let mut schema = Schema::default();
    match node {
        Node::Reference { path, description } => {
            schema.reference = definition_name(&path);
            schema.description = description;
        }
        Node::Object(members) => {
            for (key, node) in members {
                match (key.as_str(), node) {
                    ("description", Node::Text(text)) => schema.description = text,
                    ("type", Node::Text(text)) => schema.kind = text,
                    ("format", Node::Text(text)) => schema.format = text,
                    ("items", node) => schema.items = Some(Box::new(self::schema(node))),
                    ("additionalProperties", node) => schema.values = Some(Box::new(self::schema(node))),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    schema
}

/// `crate::api::core::v1::Pod` → `io.k8s.api.core.v1.Pod`.
fn definition_name(path: &str) -> String {
    let name = path.trim_start_matches("crate::").replace("::", ".");
    let name = name.replacen("apiextensions_apiserver", "apiextensions-apiserver", 1).replacen(
        "kube_aggregator",
        "kube-aggregator",
        1,
    );
    format!("io.k8s.{name}")
}

enum Node {
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(String),
    Reference { path: String, description: String },
    Other,
}

/// JSON with trailing commas and, in parentheses, Rust expressions.
struct Parser<'a> {
    text: &'a str,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<char, String> {
        self.text = self.text.trim_start();
        self.text.chars().next().ok_or_else(|| "a schema ends early".to_owned())
    }

    fn eat(&mut self, wanted: char) -> Result<bool, String> {
        let found = self.next()? == wanted;
        if found {
            self.text = &self.text[wanted.len_utf8()..];
        }
        Ok(found)
    }

    fn value(&mut self) -> Result<Node, String> {
        match self.next()? {
            '{' => {
                self.eat('{')?;
                let mut members = Vec::new();
                while !self.eat('}')? {
                    let key = self.string()?;
                    self.eat(':')?;
                    members.push((key, self.value()?));
                    self.eat(',')?;
                }
                Ok(Node::Object(members))
            }
            '[' => {
                self.eat('[')?;
                let mut items = Vec::new();
                while !self.eat(']')? {
                    items.push(self.value()?);
                    self.eat(',')?;
                }
                Ok(Node::List(items))
            }
            '"' => Ok(Node::Text(self.string()?)),
            '(' => self.expression(),
            _ => {
                let end = self.text.find([',', '}', ']', '\n']).ok_or("a literal does not end")?;
                let (literal, rest) = self.text.split_at(end);
                self.text = rest;
                Ok(reference(literal, String::new()).unwrap_or(Node::Other))
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.eat('"')? {
            return Err(format!("a string is missing before {:.40}", self.text));
        }
        let mut out = String::new();
        let mut chars = self.text.char_indices();
        while let Some((at, found)) = chars.next() {
            match found {
                '"' => {
                    self.text = &self.text[at + 1..];
                    return Ok(out);
                }
                '\\' => match chars.next().map(|(_, escaped)| escaped) {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some('u') => {
                        let digits: String = chars
                            .by_ref()
                            .map(|(_, digit)| digit)
                            .skip(1)
                            .take_while(|digit| *digit != '}')
                            .collect();
                        out.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
                    }
                    Some(other) => out.push(other),
                    None => break,
                },
                other => out.push(other),
            }
        }
        Err("a string does not end".to_owned())
    }

    /// `(gen.subschema_for::<PATH>())`, or a block that adds a description to it.
    fn expression(&mut self) -> Result<Node, String> {
        let mut depth = 0_usize;
        let mut strings = Vec::new();
        let mut code = String::new();
        loop {
            match self.next()? {
                '"' => {
                    strings.push(self.string()?);
                    continue;
                }
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            let found = self.next()?;
            code.push(found);
            self.text = &self.text[found.len_utf8()..];
            if depth == 0 {
                break;
            }
        }
        reference(&code, strings.into_iter().nth(1).unwrap_or_default())
            .ok_or_else(|| format!("no reference in {code}"))
    }
}

/// The path in `__gen.subschema_for::<PATH>()`.
fn reference(code: &str, description: String) -> Option<Node> {
    let path = code.split("subschema_for::<").nth(1)?.split(">()").next()?;
    Some(Node::Reference { path: path.to_owned(), description })
}
