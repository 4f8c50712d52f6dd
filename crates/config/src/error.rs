//! Why a configuration cannot be used.

/// Why the configuration cannot be used. Never contains a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{path} cannot be read: {problem}. Check the path and its permissions.")]
    File { path: String, problem: String },
    /// A file that another user may have written.
    #[error("{path} is not trusted: {problem}.")]
    Untrusted { path: String, problem: String },
    /// A line of an environment file that cannot be read.
    #[error("{path}:{line} cannot be used: {problem}.")]
    Variables { path: String, line: usize, problem: String },
    /// A variable of the process, or the file that it names, without a usable value.
    #[error("The variable {name} cannot be used: {problem}.")]
    Variable { name: String, problem: String },
    #[error("{path} is not valid TOML: {problem}")]
    Syntax { path: String, problem: String },
    #[error("{origin} sets `{key}`, which is not a setting.{nearest}")]
    Unknown {
        origin: String,
        key: String,
        /// A suggestion; may be empty.
        nearest: String,
    },
    /// A value of another type than the setting has.
    #[error("The setting `{key}` is not valid: {origin} must set {expected}.")]
    Type { key: String, origin: String, expected: String },
    /// A value that no server could work with.
    #[error("The setting `{key}` is not valid: {problem}.")]
    Value { key: String, problem: String },
}
