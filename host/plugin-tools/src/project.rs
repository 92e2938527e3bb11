//! A new project: small, but complete. It builds, and its cases pass.

use crate::{Error, write};
use chainplate_apimachinery::names;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// The world that a new plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// An API group of its own.
    Server,
    /// An admission policy.
    Admission,
    /// Two versions of a custom resource.
    Converter,
    /// An authenticator of tokens.
    Authenticator,
    /// An authorizer.
    Authorizer,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Server, Self::Admission, Self::Converter, Self::Authenticator, Self::Authorizer];

    /// The world's name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Admission => "admission",
            Self::Converter => "converter",
            Self::Authenticator => "authenticator",
            Self::Authorizer => "authorizer",
        }
    }
}

/// What kind of project, and with what names in it.
#[derive(Debug, Clone)]
pub struct Plan {
    name: String,
    template: Template,
    group: String,
    sdk: Sdk,
}

/// Where a project finds the SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sdk {
    /// In this directory.
    Path(PathBuf),
    /// On crates.io, in this version.
    Version(String),
}

/// The SDK that stood beside this program when it was built.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/rust");

impl Sdk {
    /// The SDK that the author names, a directory or a version; without a word the one of the checkout that this program
    /// comes from, if it is still there, or else the one of this program's version.
    ///
    /// # Errors
    /// A name that is neither.
    pub fn find(told: Option<&str>) -> Result<Self, Error> {
        let directory =
            |path: &Path| path.join("Cargo.toml").is_file().then(|| path.canonicalize().ok()).flatten();
        match told {
            None => Ok(directory(Path::new(CHECKOUT))
                .map_or_else(|| Self::Version(env!("CARGO_PKG_VERSION").to_owned()), Self::Path)),
            Some(told) => match directory(Path::new(told)) {
                Some(path) => Ok(Self::Path(path)),
                None if told.starts_with(|first: char| first.is_ascii_digit() || "=^~".contains(first)) => {
                    Ok(Self::Version(told.to_owned()))
                }
                None => Err(Error::unfit(
                    Path::new(told),
                    "--sdk must be the directory of a Cargo.toml, or a version such as 0.1",
                )),
            },
        }
    }
}

impl fmt::Display for Sdk {
    /// As a dependency in Cargo.toml.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A TOML string has the escapes of a Rust one, as far as paths need them.
            Self::Path(path) => write!(f, "{{ path = {:?} }}", path.to_string_lossy()),
            Self::Version(version) => write!(f, "{version:?}"),
        }
    }
}

/// A file of a template: its place in the project, and its text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($directory:literal: $($place:literal),+ $(,)?) => {
        &[$(($place, include_str!(concat!("../templates/", $directory, "/", $place)))),+]
    };
}

/// In every project. (A file of that name would be taken for the template's own: `.gitignore` is here.)
const COMMON: &[File] = &[
    ("Cargo.toml", include_str!("../templates/Cargo.toml.in")),
    ("README.md", include_str!("../templates/README.md")),
    (".gitignore", "/target\n"),
];

fn files(template: Template) -> &'static [File] {
    match template {
        Template::Server => files!("server":
            "plugin.yaml",
            "src/lib.rs",
            "cases/create/request.yaml",
            "cases/create/expected.yaml",
            "cases/refuse/request.yaml",
            "cases/refuse/expected.yaml",
        ),
        Template::Admission => files!("admission":
            "plugin.yaml",
            "src/lib.rs",
            "cases/allow/request.yaml",
            "cases/allow/expected.yaml",
            "cases/deny/request.yaml",
            "cases/deny/expected.yaml",
        ),
        Template::Converter => files!("converter":
            "plugin.yaml",
            "src/lib.rs",
            "cases/convert/objects/1-definition.yaml",
            "cases/convert/objects/2-object.yaml",
            "cases/convert/request.yaml",
            "cases/convert/expected.yaml",
        ),
        Template::Authenticator => files!("authenticator":
            "plugin.yaml",
            "src/lib.rs",
            "cases/known/chain.yaml",
            "cases/known/request.yaml",
            "cases/known/expected.yaml",
            "cases/unknown/request.yaml",
            "cases/unknown/expected.yaml",
        ),
        Template::Authorizer => files!("authorizer":
            "plugin.yaml",
            "src/lib.rs",
            "cases/allow/request.yaml",
            "cases/allow/expected.yaml",
            "cases/deny/request.yaml",
            "cases/deny/expected.yaml",
        ),
    }
}

impl Plan {
    /// Plans a project.
    ///
    /// # Errors
    /// A name that no plugin or crate can have, or a group that no resource can be in.
    pub fn new(name: &str, template: Template, group: &str, sdk: Sdk) -> Result<Self, Error> {
        let letter = name.starts_with(|first: char| first.is_ascii_lowercase());
        if !letter || !names::dns1123_label(name).is_empty() {
            return Err(Error::Name(name.to_owned()));
        }
        if let Some(why) = names::subdomain(group, false).into_iter().next() {
            return Err(Error::Group { group: group.to_owned(), why });
        }
        if !group.contains('.') {
            let why = "a group without a dot is one of Kubernetes' own".to_owned();
            return Err(Error::Group { group: group.to_owned(), why });
        }
        Ok(Self { name: name.to_owned(), template, group: group.to_owned(), sdk })
    }

    fn render(&self, text: &str) -> String {
        let kind = kind(&self.name);
        text.replace("{{name}}", &self.name)
            .replace("{{world}}", self.template.name())
            .replace("{{group}}", &self.group)
            .replace("{{plural}}", &plural(&kind))
            .replace("{{kind}}", &kind)
            .replace("{{sdk}}", &self.sdk.to_string())
    }
}

/// Writes the project to a directory, which must be empty or not there; the files that were written.
///
/// # Errors
/// A directory with something in it, or one that cannot be written.
pub fn create(plan: &Plan, directory: &Path) -> Result<Vec<PathBuf>, Error> {
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::unfit(
            directory,
            "there is something in it already; name another directory with --path",
        ));
    }
    let files = COMMON.iter().chain(files(plan.template));
    files
        .map(|(place, text)| {
            let path = directory.join(place);
            write(&path, plan.render(text).as_bytes())?;
            Ok(path)
        })
        .collect()
}

/// The kind that a plugin's name suggests: `unique-hosts` is about a `UniqueHost`.
fn kind(name: &str) -> String {
    let singular = match name.strip_suffix("ies") {
        Some(stem) if !stem.is_empty() => format!("{stem}y"),
        _ if name.ends_with("ss") => name.to_owned(),
        _ => name.strip_suffix('s').filter(|stem| stem.len() > 1).unwrap_or(name).to_owned(),
    };
    let words = singular.split('-').filter(|word| !word.is_empty());
    let capitalised = words.map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    capitalised.collect()
}

/// The plural that the SDK derives from a kind.
fn plural(kind: &str) -> String {
    let word = kind.to_lowercase();
    let consonant_y = word.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    if let Some(stem) = consonant_y {
        return format!("{stem}ies");
    }
    let hissing = ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end));
    format!("{word}{}", if hissing { "es" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CASES, MANIFEST, cases};
    use chainplate_manifest::Manifest;

    fn plan(name: &str, template: Template) -> Plan {
        Plan::new(name, template, "acme.example.com", Sdk::Version("0.1".into())).unwrap()
    }

    #[test]
    fn every_template_renders_to_a_project_that_is_understood() {
        for template in Template::ALL {
            let directory = tempfile::tempdir().unwrap();
            let written = create(&plan("nice-things", template), directory.path()).unwrap();
            for path in &written {
                let text = fs::read_to_string(path).unwrap();
                assert!(!text.contains("{{"), "{}: {text}", path.display());
            }
            let manifest = fs::read_to_string(directory.path().join(MANIFEST)).unwrap();
            let manifest = Manifest::parse(&manifest).unwrap();
            let hooks = template == Template::Admission;
            assert_eq!(!manifest.admission.is_empty(), hooks, "{template:?}");
            assert_eq!(!manifest.conversions.is_empty(), template == Template::Converter, "{template:?}");
            let cases = cases::read(&directory.path().join(CASES), None).unwrap();
            assert!(!cases.is_empty(), "{template:?}");
        }
    }

    #[test]
    fn the_resource_is_named_after_the_plugin() {
        for (name, wanted, several) in [
            ("unique-hosts", "UniqueHost", "uniquehosts"),
            ("website", "Website", "websites"),
            ("policies", "Policy", "policies"),
            ("mattress", "Mattress", "mattresses"),
            ("a--b", "AB", "abs"),
        ] {
            assert_eq!((kind(name).as_str(), plural(&kind(name)).as_str()), (wanted, several));
        }
    }

    #[test]
    fn names_and_groups_that_cannot_be_are_refused() {
        let sdk = || Sdk::Version("0.1".into());
        for name in ["Upper", "1st", "under_score", "", "-a"] {
            let told = Plan::new(name, Template::Server, "example.com", sdk()).unwrap_err().to_string();
            assert!(told.contains("begin with a letter"), "{told}");
        }
        for group in ["apps", "Example.com", ""] {
            let told = Plan::new("a", Template::Server, group, sdk()).unwrap_err().to_string();
            assert!(told.contains("--group"), "{told}");
        }
    }

    #[test]
    fn the_sdk_is_a_directory_or_a_version() {
        let Sdk::Path(checkout) = Sdk::find(None).unwrap() else { panic!("this is a checkout") };
        assert!(checkout.ends_with("sdk/rust"));
        assert_eq!(Sdk::find(checkout.to_str()).unwrap(), Sdk::Path(checkout.clone()));
        assert_eq!(Sdk::find(Some("0.1")).unwrap().to_string(), "\"0.1\"");
        assert!(Sdk::Path("/a b".into()).to_string().contains("path = \"/a b\""));
        assert!(Sdk::find(Some("/no/such/place")).unwrap_err().to_string().contains("--sdk must be"));
    }

    #[test]
    fn a_directory_with_something_in_it_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("mine"), "").unwrap();
        let told = create(&plan("a", Template::Server), directory.path()).unwrap_err().to_string();
        assert!(told.contains("something in it already"), "{told}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
