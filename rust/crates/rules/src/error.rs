//! Why rules cannot be evaluated.

/// Why the rules of a description cannot be evaluated with its models.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The model has no such class, key point or value.
    #[error("rule {rule}: the model knows no {kind} \"{name}\"; it knows {known}")]
    Unknown {
        /// Name of the rule.
        rule: String,
        /// `class`, `key point` or `value`.
        kind: &'static str,
        /// The one asked for.
        name: String,
        /// All there are, with commas.
        known: String,
    },
    /// A name that the description does not have, or a condition without what it needs. Does not
    /// occur after [`edgeai_config::parse`].
    #[error("rule {rule}: {message}")]
    Description {
        /// Name of the rule.
        rule: String,
        /// What was expected.
        message: &'static str,
    },
}
