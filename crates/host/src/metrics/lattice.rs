//! What the connections to a lattice count, as metrics.

use std::sync::atomic::Ordering;

use wasmcloud_lattice::ConnectionState;
use wasmcloud_telemetry::{Collection, Definition, Kind, Metrics};

use crate::control::LatticeHost;

macro_rules! definitions {
    ($($id:ident: $kind:ident $name:literal $help:literal;)*) => {
        $(static $id: Definition = Definition { name: $name, help: $help, kind: Kind::$kind };)*
    };
}

definitions! {
    CONNECTED: Gauge "wasmcloud_lattice_connected"
        "1 while the connection is there and the server has confirmed its subscriptions, else 0";
    CONNECTS: Counter "wasmcloud_lattice_connects_total"
        "How often the connection was made; more than one are reconnects";
    DROPPED: Counter "wasmcloud_lattice_dropped_messages_total"
        "Messages that were dropped because this host was too slow";
    RECEIVED: Counter "wasmcloud_lattice_received_messages_total"
        "Messages that came from the lattice";
    SENT: Counter "wasmcloud_lattice_sent_messages_total"
        "Messages that went to the lattice";
    RECEIVED_BYTES: Counter "wasmcloud_lattice_received_bytes_total"
        "Bytes that came from the lattice";
    SENT_BYTES: Counter "wasmcloud_lattice_sent_bytes_total"
        "Bytes that went to the lattice";
    REFUSED: Gauge "wasmcloud_lattice_refused_links"
        "Links in the state of the lattice that are not in effect on this host";
}

impl LatticeHost {
    /// Adds what its connections count to the metrics of the process, for as long as it exists. What runs on the host is
    /// counted by the host itself.
    pub fn register_metrics(&self, metrics: &Metrics) {
        let host = self.downgrade();
        metrics.register(move |out| {
            if let Some(host) = host() {
                collect(&host, out);
            }
        });
    }
}

fn collect(host: &LatticeHost, out: &mut Collection) {
    out.family(&REFUSED).count(&[], host.refused_links() as u64);
    for (name, connection) in host.connections() {
        let labels = &[("connection", name)];
        let connected = matches!(*connection.state().borrow(), ConnectionState::Connected { .. });
        let statistics = connection.client().statistics();
        for (definition, value) in [
            (&CONNECTED, u64::from(connected)),
            (&CONNECTS, statistics.connects.load(Ordering::Relaxed)),
            (&DROPPED, connection.dropped_messages()),
            (&RECEIVED, statistics.in_messages.load(Ordering::Relaxed)),
            (&SENT, statistics.out_messages.load(Ordering::Relaxed)),
            (&RECEIVED_BYTES, statistics.in_bytes.load(Ordering::Relaxed)),
            (&SENT_BYTES, statistics.out_bytes.load(Ordering::Relaxed)),
        ] {
            out.family(definition).count(labels, value);
        }
    }
}
