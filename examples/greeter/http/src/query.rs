//! Reads people from the query of a URL.

use crate::example::greeter::greet::{Manner, Person};

/// Each `name` starts a new person; `title` and `marks` say how to greet the person before.
pub fn people(query: &str) -> Result<Vec<Person>, String> {
    let mut people: Vec<Person> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value).ok_or_else(|| format!("cannot read the value of {key}"))?;
        if key == "name" {
            people.push(Person {
                name: value,
                manner: Manner::Plain,
            });
            continue;
        }
        let person = people
            .last_mut()
            .ok_or_else(|| format!("{key} has to follow a name"))?;
        person.manner = match key {
            "title" => Manner::Formal(value),
            "marks" => Manner::Excited(
                value
                    .parse()
                    .map_err(|_| format!("{value} is not a number up to 255"))?,
            ),
            _ => return Err(format!("{key} is not one of name, title, marks")),
        };
    }
    Ok(people)
}

/// Undoes the percent encoding; nothing if the encoding is broken or the text is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
