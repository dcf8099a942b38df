//! Types with handles as text, as WIT has them. Types are made of shared parts, so a small one may spell a very long
//! text; this one is short.

use std::fmt::{self, Write as _};

use super::{Shape, Shapes};

/// Levels that are shown.
const LEVELS: usize = 4;

/// Members of one level that are shown.
const MEMBERS: usize = 6;

/// Without the names of parameters.
impl fmt::Display for Shapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        members(f, &self.params, |f, shape| show(f, shape, LEVELS))?;
        f.write_char(')')?;
        self.results.iter().try_for_each(|result| {
            f.write_str(" -> ")?;
            show(f, result, LEVELS)
        })
    }
}

fn show(f: &mut fmt::Formatter<'_>, shape: &Shape, levels: usize) -> fmt::Result {
    let Some(levels) = levels.checked_sub(1) else {
        return f.write_char('…');
    };
    match shape {
        Shape::Plain(ty) => write!(f, "{ty}"),
        Shape::Own(resource) => f.write_str(&resource.name),
        Shape::Borrow(resource) => write!(f, "borrow<{}>", resource.name),
        Shape::List(item) => {
            f.write_str("list<")?;
            show(f, item, levels)?;
            f.write_char('>')
        }
        Shape::Option(some) => {
            f.write_str("option<")?;
            show(f, some, levels)?;
            f.write_char('>')
        }
        Shape::Tuple(items) => {
            f.write_str("tuple<")?;
            members(f, items, |f, item| show(f, item, levels))?;
            f.write_char('>')
        }
        Shape::Record(fields) => {
            f.write_str("record { ")?;
            members(f, fields, |f, (name, field)| {
                write!(f, "{name}: ")?;
                show(f, field, levels)
            })?;
            f.write_str(" }")
        }
        Shape::Variant(cases) => {
            f.write_str("variant { ")?;
            members(f, cases, |f, (name, payload)| match payload {
                Some(payload) => {
                    write!(f, "{name}(")?;
                    show(f, payload, levels)?;
                    f.write_char(')')
                }
                None => f.write_str(name),
            })?;
            f.write_str(" }")
        }
        Shape::Result(ok, err) => {
            f.write_str("result<")?;
            match ok {
                Some(ok) => show(f, ok, levels)?,
                None => f.write_char('_')?,
            }
            if let Some(err) = err {
                f.write_str(", ")?;
                show(f, err, levels)?;
            }
            f.write_char('>')
        }
    }
}

fn members<T>(
    f: &mut fmt::Formatter<'_>,
    members: &[T],
    mut show: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        if at == MEMBERS {
            return f.write_char('…');
        }
        show(f, member)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmcloud_wire::value::Type;

    use super::*;
    use crate::shape::{Kind, Resource};

    fn file() -> Resource {
        Resource {
            interface: "a:b/c".into(),
            name: "file".into(),
            kind: Kind::Own,
        }
    }

    fn check(shape: Shape, text: &str) {
        let shapes = Shapes {
            params: [shape].into(),
            results: [].into(),
            resources: [file()].into(),
        };
        assert_eq!(shapes.to_string(), format!("func({text})"));
    }

    #[test]
    fn types_read_like_wit() {
        let own = || Shape::Own(file());
        let boxed = || Some(Box::new(Shape::Borrow(file())));
        check(own(), "file");
        check(Shape::Plain(Type::List(Arc::new(Type::U8))), "list<u8>");
        check(Shape::List(Box::new(Shape::Borrow(file()))), "list<borrow<file>>");
        check(
            Shape::Tuple([own(), Shape::Plain(Type::Bool)].into()),
            "tuple<file, bool>",
        );
        check(
            Shape::Record([("a".into(), Shape::Option(Box::new(own())))].into()),
            "record { a: option<file> }",
        );
        check(
            Shape::Variant([("x".into(), None), ("y".into(), Some(own()))].into()),
            "variant { x, y(file) }",
        );
        check(Shape::Result(None, boxed()), "result<_, borrow<file>>");
        check(Shape::Result(boxed(), None), "result<borrow<file>>");
    }

    #[test]
    fn what_is_deep_or_wide_is_cut() {
        let mut deep = Shape::Own(file());
        for _ in 0..10 {
            deep = Shape::Tuple(vec![deep; 2].into());
        }
        let wide = Shape::Tuple(vec![Shape::Own(file()); 1_000].into());
        check(wide, "tuple<file, file, file, file, file, file, …>");
        let shapes = Shapes {
            params: [deep].into(),
            results: [].into(),
            resources: [].into(),
        };
        assert!(shapes.to_string().len() < 1_000, "{shapes}");
    }
}
