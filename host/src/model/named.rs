//! A plugin as a place in the configuration names it.

/// A plugin with the configuration of the place that names it: of a step, a source or a
/// destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamedPlugin {
    /// The plugin's name, `-` for `_`.
    pub plugin: String,
    /// JSON text given to `configure`; `null` where none is written.
    pub config: String,
}
