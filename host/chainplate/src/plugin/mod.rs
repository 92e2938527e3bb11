//! The tools of plugins' authors: what [`chainplate_plugin_tools`] can do without a server, and what needs one.

mod command;
mod log;
mod registry;
mod run;
mod start;
mod test;
mod throwaway;

pub use command::PluginCommand;
pub use log::CapturedLog;
