//! Values as people write them: WAVE, the text form of component-model values that tools for components share.
//!
//! | type | text |
//! |---|---|
//! | `bool` | `true`, `false` |
//! | integers, floats | `-9`, `6.02e23`, `nan`, `inf`, `-inf` |
//! | `char`, `string` | `'x'`, `"a\tb\u{e9}"`, and texts of several lines between `"""` |
//! | `list`, `tuple` | `[1, 2]`, `(1, "a")` |
//! | record | `{x: 1, y: "a"}`, in any order; an `option` that is left out is none |
//! | variant, enum | `circle(2.5)`, `dot` |
//! | `option` | `some(1)`, `none`, and `1` where the type allows no doubt |
//! | `result` | `ok(1)`, `err("no")`, `ok`, and `1` where the type allows no doubt |
//! | flags | `{read, exec}`, `{}` |
//!
//! A name that is one of the words `true false inf nan some none ok err` has a `%` in front. Between the parts may be
//! space and `// remarks`.
//!
//! Parsing follows the type, so an error says what should stand in a place. That is why this is a parser of our own: the
//! one of wasm-tools reads a text first and compares it with the type later, when it has forgotten what was expected.

mod parse;
mod show;

pub use parse::{InvalidText, parse, parse_args};
pub use show::Text;

/// Words that mean something of their own where a case could stand.
const KEYWORDS: [&str; 8] = ["true", "false", "inf", "nan", "some", "none", "ok", "err"];

#[cfg(test)]
mod tests;
