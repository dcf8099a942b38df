//! x
use futures::StreamExt;
#[tokio::test]
async fn pubsub() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut config = wasmcloud_broker::BrokerConfig::new(dir.path());
    config.port = 0;
    let broker = wasmcloud_broker::Broker::start(config).await?;
    let c = broker.credentials();
    let client = async_nats::ConnectOptions::with_user_and_password(c.user.clone(), c.password.clone())
        .connect(broker.address().to_string()).await?;
    let mut sub = client.subscribe("foo.*").await?;
    client.publish("foo.bar", "hello".into()).await?;
    let m = sub.next().await.unwrap();
    assert_eq!(&m.payload[..], b"hello");
    assert!(client.request("nobody", "".into()).await.is_err());
    broker.stop().await;
    Ok(())
}
