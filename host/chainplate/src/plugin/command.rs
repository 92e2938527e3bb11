//! `chainplate plugin …`.

use super::{
    log::CapturedLog,
    registry::{self, Pull, Push},
    run::{self, Origin},
    start, test,
};
use anyhow::bail;
use chainplate_plugin_tools::{
    self as tools, CASES, Component, Plan, Sdk, Severity, Template,
    chain::{self, Entry},
};
use clap::{
    Args, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use std::path::{Path, PathBuf};

/// Makes, builds and tests plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Makes a project that builds, with cases that pass
    New(New),
    /// Builds the component of a project, with its manifest in it
    Build(Build),
    /// Tells what a component is, and what it wants of a server
    Inspect(Inspect),
    /// Judges a component as a server would, and tells what is wrong
    Check(Check),
    /// Runs the cases of a plugin, each against a server of its own
    Test(Test),
    /// Runs a throw-away server with a plugin in its chain, and reloads the plugin when its sources change
    Run(Run),
    /// Pushes a component to an OCI registry
    Push(Push),
    /// Pulls a component from an OCI registry
    Pull(Pull),
}

/// What to make.
#[derive(Debug, Args)]
pub struct New {
    /// The plugin's name: lower-case letters, digits and '-'
    name: String,
    /// What the plugin shall be
    #[arg(long, value_name = "WORLD", default_value = "server", value_parser = template())]
    template: Template,
    /// Where to make it, in a directory that is empty or not there [default: the plugin's name]
    #[arg(long, value_name = "DIRECTORY")]
    path: Option<PathBuf>,
    /// The API group of its resources
    #[arg(long, value_name = "GROUP", default_value = "example.com")]
    group: String,
    /// The SDK: its directory, or its version on crates.io [default: that of the checkout that this program was built
    /// from, or of this program's version]
    #[arg(long, value_name = "DIRECTORY|VERSION")]
    sdk: Option<String>,
}

/// What to build.
#[derive(Debug, Args)]
pub struct Build {
    /// The project's directory
    #[arg(default_value = ".", conflicts_with_all = ["component", "manifest"])]
    directory: PathBuf,
    #[command(flatten)]
    profile: Profile,
    /// Where to write the component [default: <name>.wasm in Cargo's target directory]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A component that another tool has built, from Python or JavaScript say: only puts the manifest into it
    #[arg(long, value_name = "FILE", requires_all = ["manifest", "output"])]
    component: Option<PathBuf>,
    /// The manifest for --component
    #[arg(long, value_name = "FILE", requires = "component")]
    manifest: Option<PathBuf>,
}

/// How to build.
#[derive(Debug, Args)]
pub(super) struct Profile {
    /// Cargo's profile; `dev` builds faster, and makes a larger and slower component
    #[arg(long, value_name = "PROFILE", default_value = "release")]
    profile: String,
}

/// What to tell.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The component
    file: PathBuf,
    /// A chain configuration with the plugin: also tell what it grants, and what is missing
    #[arg(long, value_name = "FILE")]
    chain_config: Option<PathBuf>,
    /// How to print it
    #[arg(long, short, value_name = "FORM", default_value = "yaml")]
    output: Form,
    /// Print an entry for `components:` of a chain configuration instead, which grants all that the plugin wants
    #[arg(long, conflicts_with = "chain_config")]
    entry: bool,
}

/// A form of documents.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Form {
    Yaml,
    Json,
}

/// What to judge.
#[derive(Debug, Args)]
pub struct Check {
    /// The component
    file: PathBuf,
    /// A chain configuration with the plugin: its grants, limits and configuration count
    #[arg(long, value_name = "FILE")]
    chain_config: Option<PathBuf>,
}

/// A plugin.
#[derive(Debug, Args)]
pub(super) struct Subject {
    /// The project's directory, which is built first, or a component file
    #[arg(value_name = "DIRECTORY|FILE", default_value = ".")]
    subject: PathBuf,
    #[command(flatten)]
    profile: Profile,
}

/// What to test.
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    subject: Subject,
    /// The directory of the cases [default: cases in the project, or beside the file]
    #[arg(long, value_name = "DIRECTORY")]
    cases: Option<PathBuf>,
    /// Only cases with this in their names
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// What to run.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    subject: Subject,
    /// Port to serve HTTPS on, on 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Leave the plugin as it is when sources change
    #[arg(long)]
    no_watch: bool,
}

/// A world by its name.
fn template() -> impl TypedValueParser<Value = Template> {
    PossibleValuesParser::new(Template::ALL.map(Template::name))
        .map(|name| Template::ALL.into_iter().find(|it| it.name() == name).unwrap_or(Template::Server))
}

impl Subject {
    fn origin(self) -> Origin {
        if self.subject.is_dir() {
            Origin::Project { directory: self.subject, profile: self.profile.profile }
        } else {
            Origin::File(self.subject)
        }
    }
}

impl PluginCommand {
    /// Where the command wants logs to go, if it is not standard error.
    pub fn captured_log(&self) -> Option<CapturedLog> {
        matches!(self, Self::Test(_) | Self::Check(_)).then(CapturedLog::default)
    }

    /// Does it, and tells on standard output what was done. `log` is [`captured_log`](Self::captured_log), if logs go there.
    ///
    /// # Errors
    /// What could not be done, with the file at fault.
    pub async fn run(self, log: Option<CapturedLog>) -> anyhow::Result<()> {
        match self {
            Self::New(new) => make(&new),
            Self::Build(it) => {
                let built = match (&it.component, &it.manifest, &it.output) {
                    (Some(component), Some(manifest), Some(output)) => {
                        tools::assemble(component, manifest, output)?
                    }
                    _ => tools::build(&it.directory, &it.profile.profile, it.output.as_deref())?,
                };
                println!(
                    "{} {}: {} bytes, {}",
                    built.manifest.name,
                    built.manifest.version,
                    built.size,
                    built.path.display()
                );
                Ok(())
            }
            Self::Inspect(it) => inspect(&it),
            Self::Check(it) => check(&it, &log.unwrap_or_default()).await,
            Self::Test(it) => {
                let beside = if it.subject.subject.is_dir() {
                    it.subject.subject.clone()
                } else {
                    it.subject.subject.parent().unwrap_or(Path::new(".")).to_owned()
                };
                let cases = it.cases.unwrap_or_else(|| beside.join(CASES));
                let component = it.subject.origin().component()?;
                test::test(&component, &cases, it.filter.as_deref(), &log.unwrap_or_default()).await
            }
            Self::Push(it) => registry::push(&it).await,
            Self::Pull(it) => registry::pull(&it).await,
            Self::Run(it) => run::run(it.subject.origin(), it.port, !it.no_watch).await,
        }
    }
}

fn make(new: &New) -> anyhow::Result<()> {
    let sdk = Sdk::find(new.sdk.as_deref())?;
    let plan = Plan::new(&new.name, new.template, &new.group, sdk)?;
    let directory = new.path.clone().unwrap_or_else(|| PathBuf::from(&new.name));
    for path in tools::create(&plan, &directory)? {
        println!("{}", path.display());
    }
    println!("next: chainplate plugin test {}", directory.display());
    Ok(())
}

fn inspect(it: &Inspect) -> anyhow::Result<()> {
    let component = Component::read(&it.file)?;
    if it.entry {
        let wants = component.manifest.as_ref().map(|manifest| manifest.wants.clone()).unwrap_or_default();
        let name = component.name();
        return print(&[Entry::new(&name, &component.path, &wants)], it.output);
    }
    let chain = it.chain_config.as_deref().map(chain::read).transpose()?;
    print(&tools::inspect(&component, chain.as_ref())?, it.output)
}

fn print(document: &impl serde::Serialize, form: Form) -> anyhow::Result<()> {
    match form {
        Form::Yaml => print!("{}", serde_saphyr::to_string(document)?),
        Form::Json => println!("{}", serde_json::to_string_pretty(document)?),
    }
    Ok(())
}

async fn check(it: &Check, log: &CapturedLog) -> anyhow::Result<()> {
    let component = Component::read(&it.file)?;
    let chain = it.chain_config.as_deref().map(chain::read).transpose()?;
    let mut findings = tools::check(&component, chain.as_ref());
    let starts = start::starts(&component, chain.as_ref()).await;
    if starts.severity == Severity::Error {
        // A panic's own words are there.
        eprint!("{}", log.take());
    }
    findings.push(starts);
    findings.iter().for_each(|finding| println!("{finding}"));
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        bail!("{} is not fit for a chain; the reasons stand above", it.file.display());
    }
    Ok(())
}
