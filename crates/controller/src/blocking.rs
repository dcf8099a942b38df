//! Work that takes a processor for a while, large manifests and plans, away from the threads that serve everybody else.

/// Does it on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => match panic.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down, so nobody waits for this.
            Err(_) => std::future::pending().await,
        },
    }
}
