//! `wash spy`: calls to a component or provider, and their answers, while they are made.
//!
//! Calls are heard beside those who serve them, answers in the inboxes of those who made the calls. Nothing is sent, and
//! nothing is kept but calls that were not answered yet.
//!
//! | file | is for |
//! |---|---|
//! | `subjects` | what to listen to, and which types are known there |
//! | `calls` | calls that wait for their answer, within limits |
//! | `values` | bytes as values |
//! | `lines` | what is printed |

mod calls;
mod lines;
mod subjects;
mod values;

use futures::StreamExt as _;
use tokio::time::{Instant, sleep_until};
use wasmcloud_lattice::{Connection, ConnectionState, HeaderMap, Message};
use wasmcloud_wire::rpc::header::{self, Status};
use wasmcloud_wire::rpc::{InvocationSubject, Returned, RpcErrorBody, Terms, called};

use self::calls::{Answered, Calls, Open};
use self::lines::Lines;
use self::subjects::{Ears, Targets, Types};
use super::args::SpyArgs;
use super::connect::connect;
use crate::exit::{FAILURE, Failure};
use crate::output::Output;
use crate::up::signals::Signals;

/// What stands behind the inbox of a call where its results arrive (wire reference §4.2).
const RESULTS: &str = ".results";

pub(super) async fn run(args: &SpyArgs, output: &Output) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(FAILURE, "signals", error))?;
    let client = connect(&args.lattice).await?;
    let targets = Targets::of(&client, args).await?;
    let types = Types::of(&client, &targets, args, output).await?;
    let mut ears = Ears::open(&client, &targets, args.no_results).await?;
    let connection = client.connection();
    output.note(&format!(
        "listening to calls {} in lattice `{}` at {}, Ctrl-C ends it",
        targets.words(),
        client.lattice(),
        connection.address()
    ));
    let mut spy = Spy {
        targets,
        types,
        calls: Calls::default(),
        lines: Lines::new(output),
        seen: 0,
        most: args.count,
        results: !args.no_results,
    };
    let mut gaps = Gaps::of(connection);
    let mut until = None;
    loop {
        if spy.has_seen_enough() {
            if spy.calls.open() == 0 {
                return Ok(());
            }
            until.get_or_insert_with(|| Instant::now() + client.timeout());
        }
        // In this order: what answers a call has arrived after it.
        tokio::select! {
            biased;
            () = signals.first() => return Ok(()),
            message = ears.calls.next() => match message {
                Some(message) => spy.call(&message),
                None => {
                    let error = anyhow::anyhow!("the connection to the lattice was closed");
                    return Err(Failure::new(FAILURE, "no-lattice", error));
                }
            },
            Some(message) = ears.handshakes.next() => spy.handshake(&message),
            Some(message) = ears.results.next() => spy.result(&message),
            () = reached(until) => {
                output.note(&format!(
                    "the answers to {} calls were not seen within {:.1?}: there are none yet, or the login may not read \
                     the inboxes of others",
                    spy.calls.open(),
                    client.timeout()
                ));
                return Ok(());
            }
        }
        if gaps.opened(connection) {
            output.note("calls may have been missed: the connection was lost, or they came too fast");
        }
    }
}

/// Never, where there is no such moment.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

struct Spy<'a> {
    targets: Targets,
    types: Types,
    calls: Calls,
    lines: Lines<'a>,
    /// Calls that were shown.
    seen: u64,
    most: Option<u64>,
    results: bool,
}

impl Spy<'_> {
    fn has_seen_enough(&self) -> bool {
        self.most.is_some_and(|most| self.seen >= most)
    }

    fn call(&mut self, message: &Message) {
        // Something else below the same subjects is no call.
        let Ok(called) = called(&message.subject).parse::<InvocationSubject>() else {
            return;
        };
        let headers = message.headers.as_ref();
        // Of a request without headers, it stands behind the inbox.
        let (inbox, said) = message.reply.as_deref().map(Terms::beside).unzip();
        let said = said
            .flatten()
            .and_then(|terms| Terms::read(terms).ok())
            .unwrap_or_default();
        let from = said
            .source
            .as_deref()
            .or_else(|| text(headers, header::SOURCE_ID));
        let from = from.unwrap_or("?").to_owned();
        if self.has_seen_enough() || !self.targets.wants(called.component.as_str(), &from) {
            return;
        }
        self.seen += 1;
        let function = self.types.function(&called);
        let whole = text(headers, header::MORE).is_none();
        let params = values::params(&called, function, &message.payload, whole);
        let open = Open::new(self.seen, called, from);
        let link = said.link.as_deref().or_else(|| text(headers, header::LINK_NAME));
        let link = link.unwrap_or(if said.source.is_some() { "default" } else { "" });
        self.lines.call(&open, link, message.payload.len(), &params);
        if let Some(inbox) = inbox.filter(|_| self.results) {
            self.calls.open_at(inbox, open);
        }
    }

    fn handshake(&mut self, message: &Message) {
        // The inbox of a call has three names.
        let behind = message.subject.match_indices('.').nth(2);
        if let Some((inbox, behind)) = behind.and_then(|(dot, _)| message.subject.split_at_checked(dot)) {
            self.returned(inbox, behind.trim_start_matches('.'), message);
            return;
        }
        let Some(open) = self.calls.at(&message.subject) else {
            return;
        };
        let headers = message.headers.as_ref();
        let terms = text(headers, header::TERMS).map(Terms::read);
        if let Some(Ok(Terms { host: Some(host), .. })) = terms {
            open.host = Some(host.into());
        }
        let status = text(headers, header::STATUS);
        if status.is_some_and(|status| header::status(status) == Ok(Status::Ok)) {
            // The results came with the acceptance.
            self.calls.keep(&message.subject, &message.payload);
            self.answered(&message.subject, Answered::Ended);
        } else if let Some(error) = text(headers, header::ERROR) {
            let error = RpcErrorBody::from_header(error);
            self.answered(&message.subject, Answered::Failed(error));
        }
    }

    /// Results that are all there is of a call.
    fn returned(&mut self, inbox: &str, behind: &str, message: &Message) {
        let (Some(who), Some(open)) = (Returned::read(behind), self.calls.at(inbox)) else {
            return;
        };
        open.host = who.host.map(str::to_owned);
        self.calls.keep(inbox, &message.payload);
        self.answered(inbox, Answered::Ended);
    }

    fn result(&mut self, message: &Message) {
        let Some(inbox) = message.subject.strip_suffix(RESULTS) else {
            return;
        };
        if self.calls.at(inbox).is_none() {
            return;
        }
        self.calls.keep(inbox, &message.payload);
        let headers = message.headers.as_ref();
        let status = text(headers, header::STATUS);
        let answered = match status.map(header::status) {
            Some(Ok(Status::Ok)) => Answered::Ended,
            Some(_) => {
                let error = text(headers, header::ERROR).unwrap_or_default();
                Answered::Failed(RpcErrorBody::from_header(error))
            }
            // All that v1 has to say.
            None if message.payload.is_empty() => Answered::Ended,
            None => return,
        };
        self.answered(inbox, answered);
    }

    fn answered(&mut self, inbox: &str, answered: Answered) {
        let Some(open) = self.calls.close(inbox) else {
            return;
        };
        match answered {
            Answered::Failed(error) => self.lines.failed(&open, &error),
            Answered::Ended => {
                let function = self.types.function(&open.called);
                let results = values::results(&open.called, function, &open.got, open.is_whole());
                self.lines.results(&open, &results);
            }
        }
    }
}

fn text<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Option<&'a str> {
    Some(headers?.get(name)?.as_str())
}

/// Notices when messages may have been lost.
struct Gaps {
    dropped: u64,
    epoch: Option<u64>,
}

impl Gaps {
    fn of(connection: &Connection) -> Self {
        Self {
            dropped: connection.dropped_messages(),
            epoch: epoch(connection),
        }
    }

    fn opened(&mut self, connection: &Connection) -> bool {
        let now = Self::of(connection);
        // While there is no connection nothing is missed that is not missed still when there is one again.
        let lost = now.epoch.is_some() && now.epoch != self.epoch;
        let found = lost || now.dropped != self.dropped;
        self.dropped = now.dropped;
        self.epoch = now.epoch.or(self.epoch);
        found
    }
}

fn epoch(connection: &Connection) -> Option<u64> {
    match *connection.state().borrow() {
        ConnectionState::Connected { epoch } => Some(epoch),
        _ => None,
    }
}
