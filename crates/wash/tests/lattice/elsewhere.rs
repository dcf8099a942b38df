//! Calls from host to host while something goes wrong between them: hosts are killed, stopped and cut off, the server
//! restarts, a client takes its time. Whatever happens, every request ends, and those that begin a moment later are
//! answered.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::json;
use wasmcloud_test_kit::control::{Control, Events};
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::http::{Connection, get};
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{SOON, Wash};

use crate::support::{HTTP, connect, hello, host, id, nats, page, until, web_link};

/// The deadline of a request that is passed on to another host.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long after a kill a request may begin and fail.
const MOMENT: Duration = Duration::from_millis(100);

/// A host that listens, and hosts that run the component behind it.
struct Rig {
    client: Control,
    events: Events,
    front: Wash,
    backs: Vec<Wash>,
    address: SocketAddr,
    /// How long a request may take.
    time: Duration,
}

impl Rig {
    /// Each of the hosts behind may have so many instances.
    async fn start(nats_url: &str, backs: usize, image: &str, count: u32) -> Result<Self> {
        Self::with_time(nats_url, backs, image, count, DEADLINE).await
    }

    /// With other time for a request than [`DEADLINE`].
    async fn with_time(
        nats_url: &str,
        backs: usize,
        image: &str,
        count: u32,
        time: Duration,
    ) -> Result<Self> {
        let client = connect(nats_url).await?;
        let events = client.events().await?;
        let front = host(nats_url)?.ready()?;
        let address = free_address()?;
        let mut rig = Self {
            client,
            events,
            front,
            backs: Vec::new(),
            address,
            time,
        };
        for _ in 0..backs {
            rig.back(nats_url, image, count).await?;
        }
        let front = id(&rig.front)?;
        let start = json!({ "provider_id": "http", "provider_ref": HTTP, "host_id": front });
        rig.client.ok(&format!("provider.start.{front}"), &start).await?;
        rig.events.wait("provider_started", &json!({})).await?;
        let config = json!({
            "address": address.to_string(), "timeout_ms": time.as_millis().to_string(),
        });
        rig.client.ok("config.put.web", &config).await?;
        rig.client.ok("link.put", &web_link("web")).await?;
        until("answer", async || Ok(get(address, "/")?.status == 200)).await?;
        Ok(rig)
    }

    /// One more host that runs the component.
    async fn back(&mut self, nats_url: &str, image: &str, count: u32) -> Result<()> {
        let wash = host(nats_url)?.ready()?;
        let host = id(&wash)?;
        let scale = json!({
            "component_ref": image, "component_id": "web", "host_id": host, "count": count,
            "component_limits": { "max_execution_time": self.time.as_secs().to_string() },
        });
        self.client.ok(&format!("component.scale.{host}"), &scale).await?;
        let fields = json!({ "component_id": "web", "host_id": host });
        self.events.wait("component_scaled", &fields).await?;
        self.backs.push(wash);
        Ok(())
    }
}

/// One request, as its client saw it.
struct Asked {
    begun: Instant,
    took: Duration,
    answered: bool,
}

/// Clients that ask one request after another and note what became of each.
struct Asking {
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Asked>>>,
    clients: Vec<JoinHandle<()>>,
}

impl Asking {
    fn start(address: SocketAddr, clients: usize) -> Self {
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<Asked>>>::default());
        let clients = (0..clients).map(|_| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let answered = get(address, "/").is_ok_and(|response| response.status == 200);
                    let took = begun.elapsed();
                    let one = Asked {
                        begun,
                        took,
                        answered,
                    };
                    asked.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                }
            })
        });
        Self {
            clients: clients.collect(),
            stop,
            asked,
        }
    }

    /// Waits until so many more requests were answered.
    async fn wait(&self, more: usize) -> Result<()> {
        let answered = || {
            let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.iter().filter(|asked| asked.answered).count()
        };
        let wanted = answered() + more;
        until(&format!("{wanted} answers"), async || Ok(answered() >= wanted)).await
    }

    fn finish(self) -> Result<Vec<Asked>> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().map_err(|_| anyhow!("a client panicked"))?;
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *asked))
    }
}

/// What became of the requests around a moment at which something happened.
fn judge(what: &str, asked: &[Asked], happened: Instant) -> Result<()> {
    let failed = |asked: &&Asked| !asked.answered;
    let late = asked.iter().filter(|asked| asked.begun > happened + MOMENT);
    let (early, late): (usize, usize) = (
        asked
            .iter()
            .filter(failed)
            .filter(|asked| asked.begun <= happened + MOMENT)
            .count(),
        late.filter(failed).count(),
    );
    let longest = asked.iter().map(|asked| asked.took).max().unwrap_or_default();
    println!(
        "{what}: {} requests, {early} failures in the first {MOMENT:?}, {late} failures after, longest request {longest:.1?}",
        asked.len()
    );
    ensure!(late == 0, "{late} requests failed that began {MOMENT:?} after");
    ensure!(longest <= DEADLINE, "a request took {longest:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_under_load() -> Result<()> {
    let nats = nats()?;
    let rig = Rig::start(&nats.url(), 3, &hello()?, 100).await?;
    let asking = Asking::start(rig.address, 16);
    asking.wait(200).await?;
    let killed = Instant::now();
    rig.backs.first().context("a host")?.kill()?;
    asking.wait(500).await?;
    judge("kill -9", &asking.finish()?, killed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stands_still() -> Result<()> {
    let nats = nats()?;
    let rig = Rig::start(&nats.url(), 2, &hello()?, 100).await?;
    let asking = Asking::start(rig.address, 4);
    asking.wait(100).await?;
    let still = rig.backs.first().context("a host")?;
    let stopped = Instant::now();
    still.freeze()?;
    // Half of the requests go to it, and then elsewhere.
    asking.wait(50).await?;
    still.thaw()?;
    still.wait_log(&["this process stood still"], SOON)?;
    // What had begun there before goes on.
    asking.wait(200).await?;
    judge("SIGSTOP", &asking.finish()?, stopped)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_with_calls_under_way() -> Result<()> {
    let mut nats = nats()?;
    let rig = Rig::start(&nats.url(), 2, &hello()?, 100).await?;
    let asking = Asking::start(rig.address, 8);
    asking.wait(100).await?;
    nats.kill()?;
    rig.front.wait_log(&["lost the connection to NATS"], SOON)?;
    nats.restart()?;
    until("answer", async || Ok(page(rig.address)?.contains("Hello"))).await?;
    let again = Instant::now();
    asking.wait(200).await?;
    let asked = asking.finish()?;
    let longest = asked.iter().map(|asked| asked.took).max().unwrap_or_default();
    let late = asked
        .iter()
        .filter(|asked| asked.begun > again + Duration::from_secs(5) && !asked.answered);
    println!("restart: {} requests, longest request {longest:.1?}", asked.len());
    ensure!(longest <= DEADLINE, "a request took {longest:?}");
    ensure!(late.count() == 0, "requests fail long after the restart");
    Ok(())
}

/// A wire between a host and the server that can be cut: what is sent goes nowhere, and nobody is told.
struct Wire {
    address: SocketAddr,
    cut: Arc<Cut>,
}

/// Whether a wire is cut, and word of when it is whole again.
#[derive(Default)]
struct Cut {
    is: Mutex<bool>,
    changed: Condvar,
}

impl Cut {
    fn set(&self, cut: bool) {
        *self.is.lock().unwrap_or_else(PoisonError::into_inner) = cut;
        self.changed.notify_all();
    }

    /// Waits while it is cut, for as long as a test takes at most.
    fn wait_whole(&self) {
        let is = self.is.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(is, SOON, |cut| *cut));
    }
}

impl Wire {
    fn to(server: SocketAddr) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let cut = Arc::<Cut>::default();
        let shared = Arc::clone(&cut);
        // Both threads end with their connections, which end with the processes of the test.
        std::thread::spawn(move || {
            while let Ok((here, _)) = listener.accept() {
                let Ok(there) = TcpStream::connect(server) else {
                    return;
                };
                for (from, to) in [(&here, &there), (&there, &here)] {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
                        return;
                    };
                    let cut = Arc::clone(&shared);
                    std::thread::spawn(move || pass_on(from, to, &cut));
                }
            }
        });
        Ok(Self { address, cut })
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, cut: &Cut) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        cut.wait_whole();
        if bytes.get(..read).is_none_or(|read| to.write_all(read).is_err()) {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_cut_off() -> Result<()> {
    let nats = nats()?;
    let wire = Wire::to(nats.address())?;
    let mut rig = Rig::start(&nats.url(), 1, &hello()?, 100).await?;
    rig.back(&format!("nats://{}", wire.address), &hello()?, 100)
        .await?;
    let asking = Asking::start(rig.address, 4);
    asking.wait(100).await?;
    let cut = Instant::now();
    wire.cut.set(true);
    asking.wait(50).await?;
    wire.cut.set(false);
    asking.wait(200).await?;
    judge("partition", &asking.finish()?, cut)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_its_time_with_a_long_answer() -> Result<()> {
    /// What is read in all.
    const BODY: usize = 1 << 30;
    /// What a process may take more than before.
    const GROWTH: u64 = 64 << 20;
    /// Enough for 1 GiB between processes that are not optimised, on a machine that does other things as well.
    const TIME: Duration = Duration::from_secs(240);
    let nats = nats()?;
    let image = format!("file://{}", guest("http_misbehave")?.display());
    let rig = Rig::with_time(&nats.url(), 1, &image, 1, TIME).await?;
    let back = rig.backs.first().context("a host")?;
    let before = [rig.front.memory()?.0, back.memory()?.0];
    let grown = || -> Result<u64> {
        let now = [rig.front.memory()?.0, back.memory()?.0];
        let grown = now
            .iter()
            .zip(&before)
            .map(|(now, before)| now.saturating_sub(*before));
        Ok(grown.max().unwrap_or_default())
    };
    let mut connection = Connection::within(rig.address, TIME)?;
    connection.request("GET", "/endless-body", &[], b"")?;
    ensure!(connection.head()?.status == 200);
    let mut read = connection.bytes(1)?.len();
    // It reads nothing for a while: the component is stopped, and not what it writes piled up.
    let mut last = grown()?;
    until("rest", async || {
        let now = grown()?;
        let rests = now <= last;
        last = now;
        Ok(rests)
    })
    .await?;
    ensure!(last < GROWTH, "{last} bytes more for what nobody reads");
    while read < BODY {
        let piece = connection.bytes(1 << 20)?.len();
        ensure!(piece > 0, "the answer ended after {read} bytes");
        read += piece;
        if read % (64 << 20) < (1 << 20) {
            let now = grown()?;
            ensure!(now < GROWTH, "{now} bytes more after {read} bytes");
        }
    }
    println!("1 GiB read, {} bytes more at the end", grown()?);
    // The client is gone, and what it had asked for gives back the only instance.
    drop(connection);
    until("answer of the only instance", async || {
        Ok(get(rig.address, "/")?.status == 200)
    })
    .await
}
