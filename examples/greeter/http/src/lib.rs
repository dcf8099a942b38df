//! Asks the greeter on behalf of whoever asks over HTTP.
//!
//! `GET /?name=Ada` greets one person. `GET /?name=Ada&title=Dr&name=Linus&marks=3` greets several, each in the
//! manner that follows the name.

mod query;

use example::greeter::greet::{self, GreetError};
use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wit_bindgen::generate!({ path: "../wit", world: "http", generate_all });

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let query = path.split_once('?').map_or("", |(_path, query)| query);
        let (status, text) = answer(query);
        respond(out, status, &text);
    }
}

export!(Component);

fn answer(query: &str) -> (u16, String) {
    let people = match query::people(query) {
        Ok(people) => people,
        Err(why) => return (400, format!("{why}\n")),
    };
    // A call to another component looks like any other call; a link in the manifest says who is called.
    if let [person] = people.as_slice()
        && matches!(person.manner, greet::Manner::Plain)
    {
        return (200, format!("{}\n", greet::greet(&person.name)));
    }
    match greet::greet_many(&people) {
        Ok(greetings) => (200, greetings.join("\n") + "\n"),
        Err(GreetError::Nobody) => (400, "whom? ask for /?name=Ada\n".to_owned()),
        Err(GreetError::Nameless(place)) => (400, format!("person {} has no name\n", place + 1)),
    }
}

fn respond(out: ResponseOutparam, status: u16, text: &str) {
    let headers = Fields::from_list(&[
        ("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec()),
        ("content-length".to_owned(), text.len().to_string().into_bytes()),
    ])
    .expect("both header names and values are well formed");
    let response = OutgoingResponse::new(headers);
    response
        .set_status_code(status)
        .expect("all statuses used here exist");
    let body = response.body().expect("the body is taken for the first time");
    ResponseOutparam::set(out, Ok(response));

    // If the client has gone there is nobody left to tell.
    let Ok(stream) = body.write() else { return };
    // One write takes at most 4096 bytes.
    if text
        .as_bytes()
        .chunks(4096)
        .all(|chunk| stream.blocking_write_and_flush(chunk).is_ok())
    {
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
