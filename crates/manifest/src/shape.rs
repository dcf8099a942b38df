//! The vocabulary in which [`crate::grammar`] says what a manifest may contain.
//!
//! One table per map serves three readers, so that they cannot disagree: the check of what a person wrote
//! ([`crate::check`]), the JSON Schema ([`crate::schema`]), and the message that names the nearest known field.

/// The fields of one kind of map.
pub(crate) struct Table {
    /// What the map describes, as messages call it: `link`.
    pub(crate) noun: &'static str,
    /// The name of its definition in the JSON Schema.
    pub(crate) definition: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) fields: &'static [Field],
    pub(crate) one_of: Option<OneOf>,
}

/// Two optional fields of which exactly one must be written, and what is said otherwise.
pub(crate) struct OneOf {
    pub(crate) fields: [&'static str; 2],
    pub(crate) both: &'static str,
    pub(crate) neither: &'static str,
}

/// One field of a map.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// Older names that mean the same.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) required: bool,
    pub(crate) shape: Shape,
    pub(crate) doc: &'static str,
    /// What to write instead, where the field is kept only for older manifests.
    pub(crate) instead: Option<&'static str>,
}

/// What a value must look like.
pub(crate) enum Shape {
    Text,
    /// One of some words; the second list is accepted for older manifests and not offered.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// A whole number, at least this and at most that.
    Count(u64, u64),
    /// A size as `core::parse_bytes` reads it, or a number of bytes.
    Bytes,
    /// A length of time as `core::parse_duration` reads it.
    Duration,
    /// A map of any names to text; the word says what the values are.
    TextMap(&'static str),
    List(&'static Shape),
    Table(&'static Table),
    /// A table, or the older form that was only a text; the word says what to write instead.
    TableOrText(&'static Table, &'static str),
    /// A trait: the table of its properties follows from its type.
    Trait(&'static [(&'static str, &'static Table)]),
}

impl Field {
    pub(crate) const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            required: true,
            shape,
            doc,
            instead: None,
        }
    }

    pub(crate) const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            required: false,
            shape,
            doc,
            instead: None,
        }
    }

    pub(crate) const fn deprecated(
        name: &'static str,
        shape: Shape,
        doc: &'static str,
        instead: &'static str,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            required: false,
            shape,
            doc,
            instead: Some(instead),
        }
    }

    pub(crate) const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}
