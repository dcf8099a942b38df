//! Greets people. It imports nothing: other components call it over a link.

use exports::example::greeter::greet::{GreetError, Guest, Manner, Person};

wit_bindgen::generate!({ path: "../wit", world: "greeter", generate_all });

struct Greeter;

impl Guest for Greeter {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }

    fn greet_many(people: Vec<Person>) -> Result<Vec<String>, GreetError> {
        if people.is_empty() {
            return Err(GreetError::Nobody);
        }
        let greetings = people
            .iter()
            .zip(0..)
            .map(|(person, place)| greeting(person, place));
        greetings.collect()
    }
}

export!(Greeter);

fn greeting(person: &Person, place: u32) -> Result<String, GreetError> {
    let name = person.name.trim();
    if name.is_empty() {
        return Err(GreetError::Nameless(place));
    }
    Ok(match &person.manner {
        Manner::Plain => format!("Hello, {name}!"),
        Manner::Formal(title) => format!("Good day, {title} {name}."),
        Manner::Excited(marks) => format!("Hello, {name}{}", "!".repeat(usize::from(*marks))),
    })
}
