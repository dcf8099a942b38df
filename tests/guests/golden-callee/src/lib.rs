//! The component that was called when v1 was recorded, written again: it returns what it gets.

use exports::golden::types::all::{Color, Guest, Perms, Point, Shape};

wit_bindgen::generate!({ path: "../wit", world: "golden-callee", generate_all });

struct Callee;

impl Guest for Callee {
    fn ints(
        a: u8,
        b: i8,
        c: u16,
        d: i16,
        e: u32,
        f: i32,
        g: u64,
        h: i64,
    ) -> (u8, i8, u16, i16, u32, i32, u64, i64) {
        (a, b, c, d, e, f, g, h)
    }

    fn floats(a: f32, b: f64) -> (f32, f64) {
        (a, b)
    }

    fn text(a: bool, b: char, c: String) -> (bool, char, String) {
        (a, b, c)
    }

    fn rec(p: Point) -> Point {
        p
    }

    fn shapes(s: Vec<Shape>) -> Vec<Shape> {
        s
    }

    fn opt(a: Option<u32>, b: Option<String>) -> (Option<u32>, Option<String>) {
        (a, b)
    }

    fn res(a: Result<String, u32>) -> Result<u64, String> {
        match a {
            Ok(text) => Err(text),
            Err(number) => Ok(u64::from(number) * 1000),
        }
    }

    fn nothing() {}

    fn fails() -> Result<(), String> {
        Err("no".to_owned())
    }

    fn flagged(p: Perms, c: Color) -> (Perms, Color) {
        (p, c)
    }

    fn bytes(b: Vec<u8>) -> Vec<u8> {
        b
    }

    fn nested(n: Option<Result<Vec<Option<Point>>, Color>>) -> Option<Result<Vec<Option<Point>>, Color>> {
        n
    }

    fn traps() {
        core::arch::wasm32::unreachable()
    }
}

export!(Callee);
