//! `bench-kit control URL LATTICE-FOLDER PID COMPONENT FOLDER COUNT`: asks a running host over the control interface, and
//! prints what it took as JSON.
//!
//! `URL` is that of the NATS server, `LATTICE-FOLDER` has the login of an embedded lattice (`-` for none), `PID` is the
//! host's process, `COMPONENT` answers HTTP, copies of it are written to `FOLDER`, `COUNT` components are idle in the
//! end. Times are in microseconds, rates for each second.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wasmcloud_broker::Credentials;
use wasmcloud_lattice::{Auth, Connection, NatsOptions, Subscription};
use wasmcloud_wire::event::{CloudEvent, Event};
use wasmcloud_wire::subject::EventSubject;

/// For anything that should happen.
const LIMIT: Duration = Duration::from_secs(60);
/// Requests of each kind, one after another.
const SINGLE: u32 = 500;
/// Requests of each kind with [`AT_ONCE`] of them under way.
const MANY: u32 = 4_000;
const AT_ONCE: u32 = 32;
/// Starts that are measured.
const STARTS: u32 = 50;
/// How long an idle host is watched.
const IDLE: Duration = Duration::from_secs(10);

/// Asks, and prints what it took.
pub(crate) async fn main(words: &[String]) -> Result<()> {
    let [url, folder, pid, component, copies, count] = words else {
        bail!("usage: bench-kit control URL LATTICE-FOLDER PID COMPONENT FOLDER COUNT");
    };
    let bench = Bench::start(url, folder, pid.parse()?).await?;
    let requests = bench.requests().await?;
    let starts = bench.starts(Path::new(component), Path::new(copies)).await?;
    let idle = bench.idle(Path::new(component), count.parse()?).await?;
    println!(
        "{}",
        json!({ "requests": requests, "starts": starts, "idle": idle })
    );
    Ok(())
}

struct Bench {
    connection: Connection,
    host: String,
    pid: u32,
}

impl Bench {
    async fn start(url: &str, folder: &str, pid: u32) -> Result<Self> {
        let mut options = NatsOptions::new(url)?;
        if folder != "-" {
            let login = Credentials::load(Path::new(folder))?.context("the lattice has a login")?;
            options.auth = Auth::UserPassword {
                user: login.user,
                password: login.password.into(),
            };
        }
        options.request_timeout = LIMIT;
        let connection = Connection::connect(&options).await?;
        let mut bench = Self {
            connection,
            host: String::new(),
            pid,
        };
        let reply = bench.ask("host.ping", &json!(null)).await?;
        bench.host = reply
            .pointer("/response/id")
            .and_then(Value::as_str)
            .context("a host answers")?
            .to_owned();
        Ok(bench)
    }

    fn subject(what: &str) -> String {
        format!("wasmbus.ctl.v1.default.{what}")
    }

    async fn request(&self, subject: &str, body: Vec<u8>) -> Result<bytes::Bytes> {
        let deadline = self.connection.default_deadline();
        Ok(self
            .connection
            .request(subject, None, body.into(), deadline)
            .await?
            .payload)
    }

    async fn ask(&self, what: &str, body: &Value) -> Result<Value> {
        let payload = self
            .request(&Self::subject(what), body.to_string().into_bytes())
            .await?;
        let reply: Value = serde_json::from_slice(&payload)?;
        ensure!(reply.get("success") == Some(&json!(true)), "{what}: {reply}");
        Ok(reply)
    }

    /// Rates and times of requests, beside those of a bare responder on the same server.
    async fn requests(&self) -> Result<Value> {
        let mut echo = self.connection.subscribe("bench.echo").await?;
        self.connection
            .barrier(self.connection.default_deadline())
            .await?;
        let connection = self.connection.clone();
        let echoing = tokio::spawn(async move {
            while let Some(message) = echo.next().await {
                if let Some(reply) = message.reply {
                    connection.publish(&reply, None, message.payload).await.ok();
                }
            }
        });
        let inventory = format!("host.get.{}", self.host);
        let link = |n: u32| {
            json!({"source_id": format!("s{}", n % 100), "target": "t", "name": "default", "wit_namespace": "bench",
                   "wit_package": "bench", "interfaces": [format!("i{n}")], "source_config": [], "target_config": []})
        };
        type Make<'a> = Box<dyn Fn(u32) -> (String, Value) + Send + Sync + 'a>;
        let kinds: Vec<(&str, Make<'_>)> = vec![
            (
                "bare request and reply",
                Box::new(|_| ("bench.echo".to_owned(), json!({}))),
            ),
            ("host.ping", Box::new(|_| (Self::subject("host.ping"), json!({})))),
            ("host.get", Box::new(|_| (Self::subject(&inventory), json!({})))),
            (
                "config.get",
                Box::new(|n| (Self::subject(&format!("config.get.c{}", n % 100)), json!({}))),
            ),
            (
                "config.put",
                Box::new(|n| {
                    (
                        Self::subject(&format!("config.put.c{}", n % 100)),
                        json!({"n": n.to_string()}),
                    )
                }),
            ),
            ("link.put", Box::new(|n| (Self::subject("link.put"), link(n)))),
        ];
        let mut rows = serde_json::Map::new();
        for (name, make) in &kinds {
            let mut times = Vec::new();
            for n in 0..SINGLE {
                let (subject, body) = make(n);
                let begun = Instant::now();
                self.request(&subject, body.to_string().into_bytes()).await?;
                times.push(micros(begun.elapsed()));
            }
            let next = AtomicU32::new(SINGLE);
            let begun = Instant::now();
            let workers = (0..AT_ONCE).map(|_| async {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= SINGLE + MANY {
                        return Ok::<_, anyhow::Error>(());
                    }
                    let (subject, body) = make(n);
                    self.request(&subject, body.to_string().into_bytes()).await?;
                }
            });
            futures::future::try_join_all(workers).await?;
            let rate = f64::from(MANY) / begun.elapsed().as_secs_f64();
            rows.insert((*name).to_owned(), json!({ "us": times, "each_second": rate }));
        }
        echoing.abort();
        Ok(Value::Object(rows))
    }

    /// From the request to start a component whose image is known, to its event, and to its answer over HTTP.
    async fn starts(&self, component: &Path, folder: &Path) -> Result<Value> {
        let address = free_address()?;
        let config = json!({ "address": address.to_string(), "routing_mode": "path", "default_address": address.to_string() });
        self.ask("config.put.bench-http", &config).await?;
        let provider = json!({"provider_id": "bench-http", "host_id": self.host, "config": ["bench-http"],
                              "provider_ref": "wasmcloud+builtin://http-server"});
        let mut events = self.events().await?;
        self.ask(&format!("provider.start.{}", self.host), &provider)
            .await?;
        wait(
            &mut events,
            |event| matches!(event, Event::ProviderStarted(it) if it.provider_id == "bench-http"),
        )
        .await?;

        let bytes = fs::read(component)?;
        let mut files = Vec::new();
        for n in 0..STARTS {
            let file = folder.join(format!("start-{n}.wasm"));
            fs::write(&file, variant(&bytes, n))?;
            files.push(format!("file://{}", file.display()));
            self.ask(
                &format!("config.put.path-{n}"),
                &json!({ "path": format!("/{n}") }),
            )
            .await?;
            let link = json!({"source_id": "bench-http", "target": format!("start-{n}"), "name": format!("l{n}"),
                              "wit_namespace": "wasi", "wit_package": "http", "interfaces": ["incoming-handler"],
                              "source_config": [format!("path-{n}")], "target_config": []});
            self.ask("link.put", &link).await?;
        }
        let (mut event, mut answer) = (Vec::new(), Vec::new());
        for measured in [false, true] {
            for (n, file) in files.iter().enumerate() {
                let id = format!("start-{n}");
                let begun = Instant::now();
                self.scale(&id, file, 10).await?;
                wait(&mut events, |event| matches!(event, Event::ComponentScaled(it) if it.component_id == id && it.max_instances > 0)).await?;
                let told = begun.elapsed();
                let status = get(address, &format!("/{n}")).await?;
                ensure!(status == 200, "component {n} answers with status {status}");
                if measured {
                    event.push(micros(told));
                    answer.push(micros(begun.elapsed()));
                }
                self.scale(&id, file, 0).await?;
                wait(&mut events, |event| matches!(event, Event::ComponentScaled(it) if it.component_id == id && it.max_instances == 0)).await?;
            }
        }
        Ok(json!({ "event_us": event, "answer_us": answer }))
    }

    /// What a host costs that has many components, each linked to the next, and nothing to do.
    async fn idle(&self, component: &Path, count: u32) -> Result<Value> {
        let before = memory(self.pid)?;
        let mut events = self.events().await?;
        let image = format!("file://{}", component.display());
        let begun = Instant::now();
        for n in 0..count {
            let link = json!({"source_id": format!("idle-{n}"), "target": format!("idle-{}", (n + 1) % count),
                              "name": "default", "wit_namespace": "bench", "wit_package": "chain",
                              "interfaces": ["next"], "source_config": [], "target_config": []});
            self.ask("link.put", &link).await?;
        }
        let linked = begun.elapsed();
        let begun = Instant::now();
        for n in 0..count {
            self.scale(&format!("idle-{n}"), &image, 10).await?;
        }
        let mut running = 0;
        while running < count {
            wait(
                &mut events,
                |event| matches!(event, Event::ComponentScaled(it) if it.component_id.starts_with("idle-")),
            )
            .await?;
            running += 1;
        }
        let started = begun.elapsed();
        // What belongs to the starts has an end of its own: a moment without any use of the processor.
        let begun = Instant::now();
        let mut used = cpu(self.pid)?;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = cpu(self.pid)?;
            if now - used < Duration::from_millis(20) {
                break;
            }
            ensure!(begun.elapsed() < LIMIT, "the host does not come to rest");
            used = now;
        }
        let used = cpu(self.pid)?;
        tokio::time::sleep(IDLE).await;
        let busy = cpu(self.pid)? - used;
        Ok(json!({
            "count": count,
            "links_s": linked.as_secs_f64(),
            "starts_s": started.as_secs_f64(),
            "rss_before": before,
            "rss": memory(self.pid)?,
            "cpu_share": busy.as_secs_f64() / IDLE.as_secs_f64(),
        }))
    }

    async fn scale(&self, id: &str, image: &str, count: u32) -> Result<()> {
        let scale = json!({"component_ref": image, "component_id": id, "host_id": self.host, "count": count,
                           "config": [], "allow_update": false, "annotations": {}});
        self.ask(&format!("component.scale.{}", self.host), &scale)
            .await?;
        Ok(())
    }

    async fn events(&self) -> Result<Subscription> {
        let events = self
            .connection
            .subscribe(&EventSubject::all(&"default".parse()?))
            .await?;
        self.connection
            .barrier(self.connection.default_deadline())
            .await?;
        Ok(events)
    }
}

async fn wait(events: &mut Subscription, is: impl Fn(&Event) -> bool) -> Result<()> {
    loop {
        let message = timeout(LIMIT, events.next())
            .await
            .context("an event was expected")?;
        let event = CloudEvent::decode(&message.context("the connection ended")?.payload)?.event;
        match &event {
            Event::ComponentScaleFailed(failed) => bail!("{}: {}", failed.component_id, failed.error),
            Event::ProviderStartFailed(failed) => bail!("{}: {}", failed.provider_id, failed.error),
            Event::LinkdefSetFailed(failed) => bail!("{}: {}", failed.link.source_id, failed.error),
            event if is(event) => return Ok(()),
            _ => {}
        }
    }
}

async fn get(address: SocketAddr, path: &str) -> Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer)).await??;
    let status = answer.split(' ').nth(1).context("an answer has a status")?;
    Ok(status.parse()?)
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The same component with a section that nothing reads, so that a host takes it for another.
fn variant(component: &[u8], number: u32) -> Vec<u8> {
    let mut bytes = component.to_vec();
    bytes.extend([0, 10, 5]);
    bytes.extend(b"bench");
    bytes.extend(number.to_le_bytes());
    bytes
}

fn memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("a process has a size")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib << 10)
}

/// Time on the processor, in user and kernel mode. Linux counts it in hundredths of a second for everybody
/// (`USER_HZ`, proc(5)).
fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program stands in parentheses and may contain anything.
    let (_, rest) = stat.rsplit_once(')').context("stat has a name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| -> Result<u64> { Ok(fields.get(at).context("stat has fields")?.parse()?) };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
