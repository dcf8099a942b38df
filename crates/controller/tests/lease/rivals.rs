//! A controller of v1 comes first.

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use wasmcloud_controller::lease::{Candidacy, rival};
use wasmcloud_lattice::{Connection, HeaderMap};

use crate::support::{Candidate, Target, lattice, soon};

crate::support::for_all_servers!(
    also nats_2_11 = "2.11.11":
    who_answers_without_our_header_is_a_rival,
    nobody_leads_beside_a_rival,
    a_leader_that_hears_a_rival_stands_down,
);

/// Somebody who answers the manifest API, as v1's controller or as a leader of ours.
struct Answers(tokio::task::JoinHandle<()>);

impl Answers {
    async fn start(connection: &Connection, ours: bool) -> Result<Self> {
        let mut asked = connection
            .queue_subscribe("wadm.api.default.>", "wadm_server")
            .await?;
        connection.barrier(connection.default_deadline()).await?;
        let connection = connection.clone();
        Ok(Self(tokio::spawn(async move {
            while let Some(message) = asked.next().await {
                let mut headers = HeaderMap::new();
                if ours {
                    headers.insert("wasmcloud-controller", "N1");
                }
                let Some(reply) = message.reply else { continue };
                let headers = Some(headers).filter(|headers| !headers.is_empty());
                let empty = r#"{"result":"success","message":"","models":[]}"#;
                connection.publish(&reply, headers, empty.into()).await.ok();
            }
        })))
    }

    async fn stop(self, connection: &Connection) -> Result<()> {
        self.0.abort();
        // Aborted, which drops the subscription, and the server knows it.
        ensure!(self.0.await.is_err_and(|error| error.is_cancelled()));
        connection.barrier(connection.default_deadline()).await?;
        Ok(())
    }
}

async fn who_answers_without_our_header_is_a_rival(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let (connection, name) = (server.connect().await?, server.name());
    ensure!(!rival::answers(&connection, &name).await?, "nobody is there");
    let ours = Answers::start(&connection, true).await?;
    ensure!(!rival::answers(&connection, &name).await?, "it is one of us");
    ours.stop(&connection).await?;
    let silent = connection.subscribe("wadm.api.>").await?;
    connection.barrier(connection.default_deadline()).await?;
    ensure!(!rival::answers(&connection, &name).await?, "it says nothing");
    drop(silent);
    let rival = Answers::start(&connection, false).await?;
    ensure!(rival::answers(&connection, &name).await?, "it is v1's");
    rival.stop(&connection).await
}

async fn nobody_leads_beside_a_rival(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let connection = server.connect().await?;
    let mut asked = connection.subscribe("wadm.api.default.model.get").await?;
    let rival = Answers::start(&connection, false).await?;
    let candidate = Candidate::start(&server, "a", Candidacy::UnlessRival).await?;
    soon("question", asked.next())
        .await?
        .context("the subscription ended")?;
    // Somebody whom v1's controller does not matter leads; it would be asked again otherwise.
    let other = Candidate::start(&server, "b", Candidacy::Always).await?;
    let epoch = other.leads().await?;
    candidate.follows("b", epoch).await?;
    rival.stop(&connection).await?;
    other.lease.release().await;
    ensure!(candidate.leads().await? > epoch);
    Ok(())
}

async fn a_leader_that_hears_a_rival_stands_down(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let connection = server.connect().await?;
    let candidate = Candidate::start(&server, "a", Candidacy::UnlessRival).await?;
    let epoch = candidate.leads().await?;
    connection.publish("wadm.cmd.default", None, "{}".into()).await?;
    let mut told = candidate.state.clone();
    let stands_down = told.wait_for(|state| state.epoch().is_none());
    soon("end of the lead", stands_down).await??;
    ensure!(!candidate.lease.guard().may_act(epoch));
    Ok(())
}
