//! Text that must not end up in a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A password, token or private key: in JSON as it is, in debug output never.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The text itself. Whoever calls this keeps it out of logs and errors.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_says_nothing() {
        assert_eq!(
            format!("{:?}", Some(Hidden::from("s3cret".to_owned()))),
            "Some([hidden])"
        );
    }
}
