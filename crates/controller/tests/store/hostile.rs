//! Anything may be sent to the API: whoever asks learns why it is refused, and it goes on.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::support::{Target, World, manifest};

crate::support::for_all_servers!(nonsense_is_answered,);

async fn nonsense_is_answered(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let served = world.serve().await?;
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    let deep = "[".repeat(100_000);
    let long = format!(r#"{{"version":"{}"}}"#, "x".repeat(500_000));
    let payloads: Vec<Vec<u8>> = vec![
        vec![0xff; 64],
        b"{".to_vec(),
        b"null".to_vec(),
        b"[1,2]".to_vec(),
        br#"{"version":7,"part":7}"#.to_vec(),
        br#"{"version":"\u0000\n.*>"}"#.to_vec(),
        deep.into_bytes(),
        long.into_bytes(),
        b"a: &a [*a, *a]".to_vec(),
        vec![b' '; 900_000],
    ];
    let verbs = [
        "put",
        "get.shop",
        "versions.shop",
        "del.shop",
        "deploy.shop",
        "undeploy.shop",
        "status.shop",
        "history.shop",
        "rollback.shop",
        "why.shop",
        "pause.shop",
        "resume.shop",
        "get",
        "list",
        "deploy.*",
        "put.shop",
        "nothing",
    ];
    for verb in verbs {
        for payload in &payloads {
            let subject = format!("wadm.api.default.model.{verb}");
            if verb.contains('*') {
                continue;
            }
            let reply = served.asker.message(&subject, None, payload.clone()).await?;
            let reply: Value = serde_json::from_slice(&reply.payload)?;
            if verb == "list" {
                ensure!(reply.is_array());
                continue;
            }
            let (result, message) = (&reply["result"], reply["message"].as_str().unwrap_or_default());
            ensure!(result.is_string() && !message.is_empty(), "{verb}: {reply}");
            ensure!(
                message.len() < 10_000,
                "{verb}: a message of {} bytes",
                message.len()
            );
            if verb == "put" {
                ensure!(result == "error", "{reply}");
            }
        }
    }
    let got = served.ask("versions.shop", "").await?;
    ensure!(
        got.contains(r#""version":"1""#),
        "it is still there and answers: {got}"
    );
    Ok(())
}
