//! The component that called when v1 was recorded, written again: the same calls with the same values, and the same
//! text about what they returned.

use exports::test::golden::driver::Guest;
use golden::types::all::{self, Color, Perms, Point, Shape};

wit_bindgen::generate!({ path: "../wit", world: "golden-caller", generate_all });

struct Caller;

impl Guest for Caller {
    fn run(page: String) -> String {
        match page.as_str() {
            "ints" => format!(
                "{:?}",
                all::ints(0, -1, u16::MAX, i16::MIN, u32::MAX, i32::MIN, u64::MAX, i64::MIN)
            ),
            "floats" => format!("{:?}", all::floats(1.5, -0.1)),
            "text" => format!("{:?}", all::text(true, 'é', "héllo")),
            "rec" => format!("{:?}", all::rec(&point(3))),
            "shapes" => {
                let shapes = [
                    Shape::Dot,
                    Shape::Circle(2.5),
                    Shape::Poly(vec![point(1), point(2)]),
                    Shape::Named(("n".to_owned(), 9)),
                ];
                format!("{:?}", all::shapes(&shapes))
            }
            "opt" => format!("{:?}", (all::opt(Some(7), None), all::opt(None, Some("x")))),
            "res" => format!("{:?}", (all::res(Ok("bad")), all::res(Err(5)))),
            "nothing" => {
                all::nothing();
                "()".to_owned()
            }
            "fails" => format!("{:?}", all::fails()),
            "flagged" => format!(
                "{:?}",
                all::flagged(Perms::READ | Perms::EXEC | Perms::A9, Color::Blue)
            ),
            "bytes" => all::bytes(&[7; 300]).len().to_string(),
            "nested" => {
                let points = [Some(point(1)), None];
                let nested = (
                    all::nested(Some(Ok(&points))),
                    all::nested(Some(Err(&Color::Green))),
                    all::nested(None),
                );
                format!("{nested:?}")
            }
            "traps" => {
                all::traps();
                "?".to_owned()
            }
            "big" => all::bytes(&vec![7; 2_500_000]).len().to_string(),
            other => panic!("no page `{other}`"),
        }
    }
}

export!(Caller);

fn point(number: i32) -> Point {
    Point {
        x: -7 * number,
        y: i64::from(number) * 1_000_000_007,
        label: format!("p{number} é"),
        tags: vec!["a".to_owned(), String::new()],
    }
}
