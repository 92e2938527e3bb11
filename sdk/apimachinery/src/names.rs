//! Rules about names, label keys and label values (`apimachinery/pkg/util/validation`, `pkg/api/validate/content`).
//!
//! Each rule returns the reasons why a text will not do, in upstream's words; none if it will. The expressions are
//! matched by hand: they are simple, and a regular expression engine would be the larger part of a component.

/// Greatest length of a DNS-1123 subdomain, in bytes.
pub const SUBDOMAIN_MAX: usize = 253;
/// Greatest length of a DNS label, of a label's value and of the name part of a label's key, in bytes.
pub const LABEL_MAX: usize = 63;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const KEY: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// A rule about the names of a resource. With `prefix` the text is a `generateName`.
pub type NameRule = fn(name: &str, prefix: bool) -> Vec<String>;

/// The rule of most resources: a DNS-1123 subdomain (`NameIsDNSSubdomain`).
pub fn subdomain(name: &str, prefix: bool) -> Vec<String> {
    dns1123_subdomain(&masked(name, prefix))
}

/// A DNS-1123 label (`NameIsDNSLabel`): namespaces, services.
pub fn label(name: &str, prefix: bool) -> Vec<String> {
    dns1123_label(&masked(name, prefix))
}

/// A DNS-1035 label (`NameIsDNS1035Label`).
pub fn label_1035(name: &str, prefix: bool) -> Vec<String> {
    dns1035_label(&masked(name, prefix))
}

/// A text that can stand in a URL path (`ValidatePathSegmentName`): RBAC objects.
pub fn path_segment(name: &str, prefix: bool) -> Vec<String> {
    if !prefix && (name == "." || name == "..") {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|part| name.contains(**part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

/// Upstream's stand-in for the characters that generation will add: `name-` is checked as if it ended in `a`.
fn masked(name: &str, prefix: bool) -> std::borrow::Cow<'_, str> {
    // Upstream drops two characters, not one (`maskTrailingDash`); what is valid depends on it.
    match name.len().checked_sub(2) {
        Some(end) if prefix && name.ends_with('-') && name.is_char_boundary(end) => {
            format!("{}a", &name[..end]).into()
        }
        _ => name.into(),
    }
}

/// `IsDNS1123Subdomain`.
pub fn dns1123_subdomain(value: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if value.len() > SUBDOMAIN_MAX {
        reasons.push(max_characters(SUBDOMAIN_MAX));
    }
    if !is_subdomain(value) {
        reasons.push(SUBDOMAIN.to_owned());
    }
    reasons
}

/// `IsDNS1123Label`.
pub fn dns1123_label(value: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if value.len() > LABEL_MAX {
        reasons.push(max_characters(LABEL_MAX));
    }
    if !is_label(value) {
        reasons.push(if is_subdomain(value) { "must not contain dots" } else { LABEL }.to_owned());
    }
    reasons
}

/// `IsDNS1035Label`.
pub fn dns1035_label(value: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if value.len() > LABEL_MAX {
        reasons.push(max_characters(LABEL_MAX));
    }
    if !is_label(value) || !value.starts_with(|first: char| first.is_ascii_lowercase()) {
        reasons.push(LABEL_1035.to_owned());
    }
    reasons
}

/// `IsQualifiedName`: keys of labels and annotations, finalizers.
pub fn qualified_name(value: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    let name = match value.split_once('/') {
        None => value,
        Some((_, rest)) if rest.contains('/') => {
            return vec![format!(
                "a valid label key {KEY} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
        Some(("", name)) => {
            reasons.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            if prefix.len() > SUBDOMAIN_MAX {
                reasons.push(format!("prefix part must be no more than {SUBDOMAIN_MAX} bytes"));
            }
            if !is_subdomain(prefix) {
                reasons.push(format!("prefix part {SUBDOMAIN}"));
            }
            name
        }
    };
    if name.is_empty() {
        reasons.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        reasons.push(format!("name part must be no more than {LABEL_MAX} bytes"));
    }
    if !is_key(name) {
        reasons.push(format!("name part {KEY}"));
    }
    reasons
}

/// `IsValidLabelValue`.
pub fn label_value(value: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if value.len() > LABEL_MAX {
        reasons.push(format!("must be no more than {LABEL_MAX} bytes"));
    }
    if !value.is_empty() && !is_key(value) {
        reasons.push(LABEL_VALUE.to_owned());
    }
    reasons
}

fn max_characters(max: usize) -> String {
    format!("must be no more than {max} characters")
}

fn is_label(value: &str) -> bool {
    let bytes = value.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    bytes.iter().all(inner)
        && matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if *first != b'-' && *last != b'-')
}

fn is_subdomain(value: &str) -> bool {
    value.split('.').all(is_label)
}

fn is_key(value: &str) -> bool {
    let bytes = value.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    bytes.iter().all(inner)
        && matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subdomains_are_lower_case_labels_joined_by_dots() {
        for good in ["a", "a.b", "1-a.b-2", &"a".repeat(253)] {
            assert!(subdomain(good, false).is_empty(), "{good}");
        }
        for bad in ["", "A", "a..b", "-a", "a-", ".a", "a_b", "a/b", "é"] {
            assert_eq!(subdomain(bad, false), [SUBDOMAIN], "{bad}");
        }
        assert_eq!(subdomain(&"a".repeat(254), false), ["must be no more than 253 characters"]);
    }

    #[test]
    fn labels_tell_dots_from_other_faults() {
        assert_eq!(label("a.b", false), ["must not contain dots"]);
        assert_eq!(label("A.b", false), [LABEL]);
        assert_eq!(label(&"a".repeat(64), false), ["must be no more than 63 characters"]);
        assert_eq!(label_1035("1a", false), [LABEL_1035]);
        assert!(label_1035("a1", false).is_empty());
    }

    #[test]
    fn a_generate_name_may_end_in_a_dash() {
        assert!(subdomain("web-", true).is_empty());
        assert_eq!(subdomain("web-", false), [SUBDOMAIN]);
        assert_eq!(subdomain("-", true), [SUBDOMAIN]);
        assert!(subdomain("--", true).is_empty(), "upstream masks two characters");
        assert_eq!(subdomain("é-", true), [SUBDOMAIN]);
    }

    #[test]
    fn path_segments_refuse_what_a_url_cannot_carry() {
        assert!(path_segment("system:Colon_OK", false).is_empty());
        assert_eq!(path_segment("..", false), ["may not be '..'"]);
        assert!(path_segment("..", true).is_empty());
        assert_eq!(path_segment("a/b%", false), ["may not contain '/'", "may not contain '%'"]);
    }

    #[test]
    fn qualified_names_have_at_most_one_prefix() {
        for good in ["a", "A_b.c", "example.com/MyName"] {
            assert!(qualified_name(good).is_empty(), "{good}");
        }
        assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
        assert_eq!(qualified_name("a/").len(), 2);
        assert!(qualified_name("a/b/c")[0].starts_with("a valid label key must consist"));
        assert_eq!(qualified_name(&"a".repeat(64)), ["name part must be no more than 63 bytes"]);
        assert_eq!(qualified_name("Example.com/a"), [format!("prefix part {SUBDOMAIN}")]);
    }

    #[test]
    fn label_values_may_be_empty() {
        assert!(label_value("").is_empty());
        assert_eq!(label_value("-a"), [LABEL_VALUE]);
        assert_eq!(label_value(&"a".repeat(64)), ["must be no more than 63 bytes"]);
    }
}
